"""An agent Pod is there where a document asks for one. It has its chat model's key, and nothing to misuse."""

from tests.children import SERVING, children_of, container_of, document, variables_of

AGENT = "Deployment/sms-spam-agent"
ASKING = {"mode": "Advise", "model": "openai:gpt-x", "secretRef": {"name": "chat-key"}}


def test_there_is_none_unless_it_is_asked_for():
    assert AGENT not in children_of(document())
    assert AGENT in children_of(document(agent=ASKING))


def test_it_is_told_its_model_and_its_port_and_gets_the_key_from_the_namespaces_secret():
    container = container_of(children_of(document(agent=ASKING))[AGENT])
    assert container["image"] == "autoretrain/agent:dev"
    assert container["args"] == ["openai:gpt-x", "--port=8003"]
    assert container["envFrom"] == [{"secretRef": {"name": "chat-key"}}]
    assert container["ports"] == [{"name": "metrics", "containerPort": 8003, "protocol": "TCP"}]


def test_a_model_of_ones_own_needs_no_key():
    assert "envFrom" not in container_of(children_of(document(agent=ASKING | {"secretRef": None}))[AGENT])


def test_two_never_ask_at_once():
    spec = children_of(document(agent=ASKING))[AGENT]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_no_pass_and_no_promotion_restarts_it():
    asking = document(agent=ASKING)
    assert children_of(asking)[AGENT] == children_of(asking, SERVING)[AGENT]
    other = document(agent=ASKING, triggers={"drift": {"threshold": "0.2"}})
    assert children_of(other)[AGENT] == children_of(asking)[AGENT]


def test_it_keeps_advice_in_the_store_and_has_no_token():
    agent = children_of(document(agent=ASKING))[AGENT]
    assert variables_of(agent)["AUTORETRAIN_STORE_URL"]["secretKeyRef"]["name"] == "autoretrain-store"
    assert agent["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_it_is_not_told_of_the_registry_and_gets_no_login_to_it():
    agent = children_of(document(agent=ASKING, registry={"secretRef": {"name": "mlflow-login"}}))[AGENT]
    assert container_of(agent)["envFrom"] == [{"secretRef": {"name": "chat-key"}}]
    assert "MLFLOW_TRACKING_URI" not in variables_of(agent)


def test_it_takes_its_own_template():
    template = {"imagePullSecrets": [{"name": "registry"}], "resources": {"limits": {"memory": "1Gi"}}}
    agent = children_of(document(agent=ASKING | {"podTemplate": template}))[AGENT]
    assert agent["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert container_of(agent)["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
