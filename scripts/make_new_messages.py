"""Writes test_data/new_messages.json: a window of traffic with campaigns that no champion has seen, of our own making.

The file is what `curl -X POST localhost:8000/drift/calculate -d @test_data/new_messages.json` sends. Seeded: the same
script writes the same file. Run from the repository's root: `python scripts/make_new_messages.py`.
"""

import argparse
import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from string import Formatter
from typing import Final

SLOTS: Final = {
    "name": ["Maya", "Tom", "Priya", "Jonas", "Ling", "Omar", "Zoe", "Sam", "Ade", "Nina"],
    "coin": ["BTC", "ETH", "SOL", "USDT", "XRP", "DOGE"],
    "wallet": ["MetaMask", "Ledger", "TrustWallet", "Phantom", "Coinvault"],
    "carrier": ["ParcelHub", "SwiftPost", "Evrio", "Courio", "DropLine", "PakRoute"],
    "bank": ["NorthGate", "Meridian", "Finova", "Oakbridge", "Clearwell"],
    "streamer": ["Streamly", "CineBox", "Vidora", "Playnest"],
    "agency": ["TaxOffice", "RoadToll", "CouncilPay", "HealthID", "E-Permit"],
    "app": ["WhatsApp", "Telegram", "Signal", "Viber"],
    "host": [
        "verify-now",
        "id-check",
        "secure-pay",
        "my-refund",
        "parcel-fee",
        "wallet-sync",
        "qr-claim",
        "kyc-portal",
    ],
    "zone": ["top.example", "xyz.example", "click.example", "live.example", "info.example"],
    "job": ["rating hotels", "liking videos", "reviewing apps", "boosting listings", "testing stores"],
    "food": ["ramen", "tacos", "pho", "falafel", "gyoza", "bibimbap"],
    "tool": ["Zoom", "Teams", "Slack", "Figma", "Notion", "Jira"],
    "place": ["the climbing gym", "the coworking space", "platform 4", "the roof bar", "the vet", "the bike shop"],
    "gadget": ["e-scooter", "air fryer", "smart watch", "power bank", "ring light", "robot vacuum"],
}

SPAM: Final = (
    "{bank} alert: a new device was added to your mobile banking. Not you? Freeze it at {host}.{zone}/{n}",
    "{bank}: your biometric login expires today. Re-enrol your face scan via {host}.{zone} or lose app access",
    "{carrier}: your parcel {n} is on hold at the depot, customs fee ${m}.{c} unpaid. Reschedule: {host}.{zone}/{n}",
    "{carrier} courier could not find your house number. Update the address pin before 20:00 {host}.{zone}",
    "Your {wallet} will be suspended under new KYC rules. Sync the 12-word seed phrase at {host}.{zone} within {m}h",
    "{coin} airdrop is open! {m}{c} {coin} reserved for your address, connect {wallet} on {host}.{zone} to withdraw",
    "AI trading bot turned ${m}0 into ${n} in {c} days, {coin} signals daily, join our {app} group {host}.{zone}",
    "Hi, I am {name} from HR. Remote role, ${m}0 per day for {job}, no experience. Message me on {app} +{n}{m}",
    "Earn {m}0 USDT daily {job} from your sofa! Part-time, paid hourly. Reply YES or add {app} {n}",
    "Hello mum, I dropped my phone in the sink, this is my temporary number. Can you {app} me? need to pay a bill x",
    "Dad it's me, banking app is locked on the new handset, pls transfer ${m}0 to {name}, will pay back tmrw",
    "{streamer}: payment declined, your profile is paused. Renew the card at {host}.{zone}/{n} to keep watching",
    "{agency}: unpaid e-toll of ${m}.{c} is overdue. Settle at {host}.{zone} to avoid licence suspension, case {n}",
    "{agency} notice: you are eligible for an energy rebate of ${m}{c}. Submit IBAN on {host}.{zone} by midnight",
    "Scan the QR on your meter to fix a parking penalty ${m}: {host}.{zone}/qr{n}. {agency} enforcement",
    "Your eSIM profile fails activation. Confirm the 6-digit OTP at {host}.{zone} or service stops in {c} hours",
    "{name} sent you a private voice note. Listen before it is deleted: {host}.{zone}/v{n}",
    "Someone reported your {app} account for impersonation. Appeal in {c}h: {host}.{zone}/{n}",
)

HAM: Final = (
    "standup moved to {c}:30, link is in the {tool} invite, can u share screen",
    "grabbed {food} on the way home, fridge has leftovers if ur hungry",
    "{name} shared a live location, i'm by {place} with the dog",
    "battery at {c}% so if i vanish thats why, meet at {place}",
    "can you approve the pull request before lunch? {tool} thread has the screenshots",
    "the {gadget} arrived, unboxing it w {name} tonight lol",
    "airbnb host says self check in, keypad code is {n}, wifi on the fridge",
    "train replaced by bus again smh, eta {c}:4{c} at {place}",
    "voted for {food} in the group poll but {name} wants {food2}",
    "podcast ep is up, skip to minute {m} its hilarious",
    "my smart meter says we used {m} kwh yesterday, turn the heater down pls",
    "could you airdrop me the pics from {place}? insta story later",
    "wfh tmrw, plumber between {c} and noon, muted on {tool}",
    "{name}'s playlist slaps, added it to the car",
    "parents evening is on {tool} this time, passcode {n}",
    "charging the car at {place}, back in {m} min",
    "ordered the {gadget} refurbished, saved like {m} quid",
    "{name} tested negative so brunch is on, {food} place at {c}",
    "ok merging now, deploy is green, go have {food}",
    "did u cancel the {streamer} trial? card got charged {c}.99",
)


def fill(template: str, rng: random.Random) -> str:
    """One message of a template; a slot with a digit at its end is another draw of the same list."""
    numbers = {"n": str(rng.randrange(1000, 99999)), "m": str(rng.randrange(12, 95)), "c": str(rng.randrange(2, 10))}
    wanted = {field for _, field, _, _ in Formatter().parse(template) if field}
    words = {field: rng.choice(SLOTS[field.rstrip("2")]) for field in sorted(wanted - numbers.keys())}
    return template.format(**numbers, **words)


def different(templates: tuple[str, ...], rng: random.Random) -> Iterator[str]:
    """Messages without end, each template in turn, none twice."""
    seen: set[str] = set()
    while True:
        for template in templates:
            message = fill(template, rng)
            if message not in seen:
                seen.add(message)
                yield message


def make_messages(*, seed: int, spam: int, ham: int) -> list[str]:
    """`spam` messages of new campaigns among `ham` of today's small talk, shuffled."""
    rng = random.Random(seed)
    messages = [*islice(different(SPAM, rng), spam), *islice(different(HAM, rng), ham)]
    rng.shuffle(messages)
    return messages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("test_data/new_messages.json"))
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--spam", type=int, default=162)
    parser.add_argument("--ham", type=int, default=200)
    options = parser.parse_args()
    messages = make_messages(seed=options.seed, spam=options.spam, ham=options.ham)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"messages": messages}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{len(messages)} messages written to {options.out}")


if __name__ == "__main__":
    main()
