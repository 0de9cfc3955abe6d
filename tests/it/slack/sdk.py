"""Slack's official SDK, beside the adapter: it signs and verifies, reads what the adapter wrote, and talks to the stand-in.

Takes one JSON document on standard input and answers one on standard output.
"""

import json
import sys
import threading

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import Block
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse


class At:
    """A clock that stands still."""

    def __init__(self, seconds):
        self.seconds = seconds

    def now(self):
        return self.seconds


def signatures(asked):
    verifier = SignatureVerifier(asked["secret"], clock=At(asked["now"]))
    made = [
        verifier.generate_signature(timestamp=str(asked["now"]), body=body)
        for body in asked["bodies"]
    ]
    valid = [
        verifier.is_valid(body=one["body"], timestamp=one["timestamp"], signature=one["signature"])
        for one in asked["signed"]
    ]
    return {"made": made, "valid": valid}


def blocks(asked):
    """Each block by the SDK's own model, with its own checks of the limits."""
    told = []
    for given in asked["blocks"]:
        parsed = Block.parse(given)
        parsed.validate_json()
        told.append({"type": parsed.type, "again": parsed.to_dict()})
    return told


def errors(call, **arguments):
    try:
        call(**arguments)
    except SlackApiError as error:
        return error.response["error"]
    return None


def api(asked):
    client = WebClient(token=asked["token"], base_url=asked["api"] + "/")
    channel = asked["channel"]
    posted = client.chat_postMessage(
        channel=channel,
        text="from the SDK",
        metadata={"event_type": "sdk", "event_payload": {"n": 1}},
    )
    ts = posted["ts"]
    client.chat_update(channel=channel, ts=ts, text="changed by the SDK")
    client.reactions_add(channel=channel, timestamp=ts, name="eyes")
    history = client.conversations_history(channel=channel, include_all_metadata=True)
    first = [message for message in history["messages"] if message["ts"] == ts][0]
    client.files_upload_v2(channel=channel, filename="a.txt", content="from the SDK")
    return {
        "text": first["text"],
        "metadata": first["metadata"],
        "me": client.auth_test()["user_id"],
        "is_bot": client.users_info(user=asked["user"])["user"]["is_bot"],
        "reacted": errors(client.reactions_add, channel=channel, timestamp=ts, name="eyes"),
        "missing": errors(client.chat_update, channel=channel, ts="1.000001", text="x"),
        "nowhere": errors(client.chat_postMessage, channel="C0NONE", text="x"),
        "empty": errors(client.chat_postMessage, channel=channel, text=""),
        "no_token": errors(WebClient(token="xoxb-none", base_url=asked["api"] + "/").auth_test),
    }


def socket(asked):
    """Connects by Socket Mode and waits for one event, which it acknowledges."""
    heard = []
    done = threading.Event()

    def listen(client, request):
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        heard.append({"type": request.type, "text": request.payload["event"]["text"]})
        done.set()

    client = SocketModeClient(
        app_token=asked["app_token"],
        web_client=WebClient(token=asked["token"], base_url=asked["api"] + "/"),
    )
    client.socket_mode_request_listeners.append(listen)
    client.connect()
    done.wait(15)
    client.close()
    return heard


def main():
    asked = json.load(sys.stdin)
    told = {
        "signatures": signatures(asked["signatures"]),
        "blocks": blocks(asked),
        "socket": socket(asked["api"]),
        "api": api(asked["api"]),
    }
    json.dump(told, sys.stdout)


main()
