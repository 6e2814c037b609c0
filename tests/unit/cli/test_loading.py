"""A program that is interrupted while it still loads says nothing, least of all a trace."""

import signal
import subprocess
import sys

INTERRUPTED_WHILE_LOADING = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "autoretrain.cli.main":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from autoretrain.__main__ import main
main(["status"])
"""


def test_ctrl_c_while_the_program_loads_leaves_no_trace():
    command = [sys.executable, "-c", INTERRUPTED_WHILE_LOADING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
