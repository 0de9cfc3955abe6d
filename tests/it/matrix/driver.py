"""An independent client of Matrix (matrix-nio, with encryption), led by lines of JSON on standard input.

Each line is {"do": NAME, ...}; each answer is one line, {"ok": VALUE} or {"error": TEXT}. It knows nothing of the program that
it is to test. Cross-signing is not part of matrix-nio: it is done here by the client-server API.
"""

import asyncio
import base64
import json
import sys
import time
import traceback

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from nio import AsyncClient, AsyncClientConfig, Event, MegolmEvent, RoomMessage
from nio.api import Api
from nio.crypto import attachments


def unpadded(raw):
    return base64.b64encode(raw).decode().rstrip("=")


class Driver:
    def __init__(self, homeserver, user, store):
        config = AsyncClientConfig(store_sync_tokens=True, encryption_enabled=True, request_timeout=20)
        self.client = AsyncClient(homeserver, user, store_path=store, config=config)
        self.events = {}
        self.order = []
        self.at = {}
        self.client.add_event_callback(self.take, Event)

    def take(self, room, event):
        if event.event_id not in self.events:
            self.order.append((room.room_id, event.event_id))
            self.at[event.event_id] = time.time()
        self.events[event.event_id] = event

    async def login(self, password):
        answer = await self.client.login(password, device_name="driver")
        await self.settle()
        return {"device": answer.device_id, "token": answer.access_token}

    async def settle(self):
        client = self.client
        if client.should_upload_keys:
            await client.keys_upload()
        if client.should_query_keys:
            await client.keys_query()
        if client.should_claim_keys:
            await client.keys_claim(client.get_users_for_key_claiming())
        await client.send_to_device_messages()

    async def sync(self, timeout=0, full=False):
        much = {"room": {"timeline": {"limit": 1000}}}
        answer = await self.client.sync(timeout=timeout, full_state=full, sync_filter=much)
        await self.settle()
        return {"next": getattr(answer, "next_batch", None), "invited": sorted(self.client.invited_rooms)}

    async def raw(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.client.access_token}"}
        session = self.client.client_session
        url = self.client.homeserver + path
        async with session.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            return {"status": answer.status, "body": json.loads(text or "{}")}

    async def sign(self):
        """Makes an identity for the account, and signs this device with it."""
        user, device = self.client.user_id, self.client.device_id
        master, own, others = (ECC.generate(curve="Ed25519") for _ in range(3))

        def public(key):
            return unpadded(key.public_key().export_key(format="raw"))

        def signature(key, thing):
            thing = {k: v for k, v in thing.items() if k not in ("signatures", "unsigned")}
            return unpadded(eddsa.new(key, "rfc8032").sign(Api.to_canonical_json(thing).encode()))

        def described(key, usage):
            thing = {"user_id": user, "usage": [usage], "keys": {f"ed25519:{public(key)}": public(key)}}
            if usage != "master":
                thing["signatures"] = {user: {f"ed25519:{public(master)}": signature(master, thing)}}
            return thing

        keys = {
            "master_key": described(master, "master"),
            "self_signing_key": described(own, "self_signing"),
            "user_signing_key": described(others, "user_signing"),
        }
        made = await self.raw("POST", "/_matrix/client/v3/keys/device_signing/upload", keys)
        assert made["status"] == 200, made
        found = await self.raw("POST", "/_matrix/client/v3/keys/query", {"device_keys": {user: [device]}})
        thing = found["body"]["device_keys"][user][device]
        thing.pop("unsigned", None)
        thing["signatures"][user][f"ed25519:{public(own)}"] = signature(own, thing)
        signed = await self.raw("POST", "/_matrix/client/v3/keys/signatures/upload", {user: {device: thing}})
        assert signed["status"] == 200 and not signed["body"].get("failures"), signed
        return public(master)

    async def join(self, room):
        answer = await self.client.join(room)
        assert getattr(answer, "room_id", None), repr(answer)
        await self.sync(full=True)
        return answer.room_id

    async def send(self, room, content, kind="m.room.message", clear=False):
        if clear:
            path = f"/_matrix/client/v3/rooms/{room}/send/{kind}/{id(content)}-{len(self.order)}-{len(json.dumps(content))}"
            answer = await self.raw("PUT", path, content)
            assert answer["status"] == 200, answer
            return answer["body"]["event_id"]
        answer = await self.client.room_send(room, kind, content, ignore_unverified_devices=True)
        assert getattr(answer, "event_id", None), repr(answer)
        return answer.event_id

    async def put_file(self, room, name, text, encrypted=True):
        data = text.encode()
        content = {"msgtype": "m.file", "body": name, "info": {"size": len(data)}}
        if encrypted:
            data, keys = attachments.encrypt_attachment(data)
        path = f"/_matrix/media/v3/upload?filename={name}"
        headers = {"Authorization": f"Bearer {self.client.access_token}", "Content-Type": "application/octet-stream"}
        session = self.client.client_session
        async with session.post(self.client.homeserver + path, data=data, headers=headers) as answer:
            uri = (await answer.json())["content_uri"]
        if encrypted:
            keys["url"] = uri
            content["file"] = keys
        else:
            content["url"] = uri
        return await self.send(room, content)

    async def get_file(self, room, event):
        content = self.events[event].source["content"]
        uri = content["file"]["url"] if "file" in content else content["url"]
        path = "/_matrix/client/v1/media/download/" + uri.removeprefix("mxc://")
        headers = {"Authorization": f"Bearer {self.client.access_token}"}
        async with self.client.client_session.get(self.client.homeserver + path, headers=headers) as answer:
            data = await answer.read()
        if "file" in content:
            file = content["file"]
            data = attachments.decrypt_attachment(data, file["key"]["k"], file["hashes"]["sha256"], file["iv"])
        return data.decode()

    async def rotate(self, room):
        """The next message has a new room key."""
        self.client.invalidate_outbound_session(room)
        return True

    async def read(self, room):
        """All that was seen of a room, in order, with when it was there; what cannot be decrypted says so."""
        seen = []
        for of, event_id in self.order:
            if of != room:
                continue
            event = self.events[event_id]
            if isinstance(event, MegolmEvent):
                try:
                    event = self.events[event_id] = self.client.decrypt_event(event)
                    self.at[event_id] = time.time()
                except Exception:
                    pass
            source = event.source
            seen.append(
                {
                    "event_id": event_id,
                    "at": self.at[event_id],
                    "sender": event.sender,
                    "type": source.get("type"),
                    "content": source.get("content", {}),
                    "encrypted": bool(getattr(event, "decrypted", False)),
                    "readable": not isinstance(event, MegolmEvent),
                    "words": event.body if isinstance(event, RoomMessage) else None,
                }
            )
        return seen

    async def close(self):
        await self.client.close()
        return True


async def main():
    driver = None
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        wanted = json.loads(line)
        try:
            name = wanted.pop("do")
            if name == "open":
                driver = Driver(wanted["homeserver"], wanted["user"], wanted["store"])
                done = await driver.login(wanted["password"])
            else:
                done = await getattr(driver, name)(**wanted)
            answer = {"ok": done}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
    if driver:
        await driver.close()


asyncio.run(main())
