"""The adapter of gmqtt: one client, told what to do by JSON lines. docs/adapters.md documents the lines."""

import asyncio
import json
import logging
import sys

import gmqtt
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

client = None
identity = None
is_v5 = False


def say(event, **fields):
    known = {name: value for name, value in fields.items() if value is not None}
    print(json.dumps({"event": event, **known}), flush=True)


def from_hex(text):
    return None if text is None else bytes.fromhex(text)


def set_only(**values):
    """Those that are set, in 5.0."""
    return {name: value for name, value in values.items() if value is not None} if is_v5 else {}


def pairs(line):
    given = line.get("user_properties")
    return given and [tuple(pair) for pair in given]


def message_properties(line):
    data = from_hex(line.get("correlation_data"))
    return set_only(
        payload_format_id=line.get("payload_format"),
        message_expiry_interval=line.get("message_expiry"),
        topic_alias=line.get("topic_alias"),
        response_topic=line.get("response_topic"),
        correlation_data=data,
        user_property=pairs(line),
        content_type=line.get("content_type"),
    )


def first(properties, name):
    value = properties.get(name)
    return value[0] if isinstance(value, list) and value else value


def say_message(_client, topic, payload, qos, properties):
    data = first(properties, "correlation_data")
    say(
        "message",
        topic=topic,
        payload=payload.hex(),
        qos=qos,
        retain=bool(properties.get("retain")),
        dup=bool(properties.get("dup")),
        payload_format=first(properties, "payload_format_id"),
        message_expiry=first(properties, "message_expiry_interval"),
        response_topic=first(properties, "response_topic"),
        correlation_data=data and (data if isinstance(data, bytes) else data.encode()).hex(),
        user_properties=properties.get("user_property"),
        subscription_ids=properties.get("subscription_identifier"),
        content_type=first(properties, "content_type"),
    )
    return 0


def subscribe(subscriptions, subscription_id=None):
    wanted = [
        gmqtt.Subscription(
            each["filter"],
            each["qos"],
            no_local=each["no_local"] and is_v5,
            retain_as_published=each["retain_as_published"] and is_v5,
            retain_handling_options=each["retain_handling"] if is_v5 else 0,
        )
        for each in subscriptions
    ]
    client.subscribe(wanted, **set_only(subscription_identifier=subscription_id))


def make(line):
    will = None
    if "will" in line:
        told = line["will"]
        delay = set_only(will_delay_interval=told.get("delay"))
        its = {**message_properties(told), **delay}
        will = gmqtt.Message(told["topic"], from_hex(told["payload"]), told["qos"], told["retain"], **its)
    made = gmqtt.Client(
        line["client_id"],
        clean_session=line["clean"],
        will_message=will,
        **set_only(
            session_expiry_interval=line.get("session_expiry"),
            receive_maximum=line.get("receive_maximum"),
            maximum_packet_size=line.get("maximum_packet_size"),
            request_problem_info=line.get("request_problem_information"),
            request_response_info=line.get("request_response_information"),
            user_property=pairs(line),
        ),
    )
    reconnect = line.get("reconnect")
    pause = reconnect["min_ms"] / 1000 if reconnect else 0
    made.set_config({"reconnect_retries": -1 if reconnect else 0, "reconnect_delay": pause})
    if "username" in line:
        made.set_auth_credentials(line["username"], from_hex(line.get("password")))

    def connected(_client, flags, reason, _properties):
        if reason:
            return say("error", text=str(reason))
        say("connected", session_present=bool(flags & 1))
        if not flags & 1 and line.get("subscribe"):
            subscribe(line["subscribe"])

    made.on_connect = connected
    made.on_message = say_message
    made.on_disconnect = lambda *_: say("closed")
    made.on_subscribe = lambda *_: say("acknowledged", what="subscribe")
    made.on_unsubscribe = lambda *_: say("acknowledged", what="unsubscribe")
    return made


async def do_connect(line):
    global client, identity, is_v5
    if not line["client_id"]:
        return say("cannot", text="gmqtt makes an identifier up for a client that has none")
    is_v5 = line["protocol_level"] == 5
    # What the session keeps is in the client, which is made anew for another session alone.
    wanted = {name: value for name, value in line.items() if name not in ("host", "port")}
    if client is None or line["clean"] or wanted != identity:
        client, identity = make(line), wanted
    # Until CONNACK it waits for as long as there is a connection, and meanwhile it is told more.
    asyncio.ensure_future(connect(line))


async def connect(line):
    version = MQTTv50 if is_v5 else MQTTv311
    try:
        await client.connect(line["host"], line["port"], keepalive=line["keep_alive"], version=version)
    except (OSError, gmqtt.mqtt.handler.MQTTConnectError) as error:
        say("error", text=str(error))
        say("closed")


async def do_subscribe(line):
    subscribe(line["subscriptions"], line.get("subscription_id"))


async def do_unsubscribe(line):
    client.unsubscribe(line["filters"])


async def do_publish(line):
    payload = from_hex(line["payload"])
    try:
        client.publish(line["topic"], payload, qos=line["qos"], retain=line["retain"], **message_properties(line))
    except OverflowError:
        say("cannot", text="gmqtt takes no message that the Receive Maximum of the server has no room for")


async def do_disconnect(line):
    its = set_only(
        session_expiry_interval=line.get("session_expiry"),
        reason_string=line.get("reason_string"),
        user_property=pairs(line),
    )
    await client.disconnect(line.get("reason", 0), **its)


async def do_close(_line):
    say("cannot", text="gmqtt closes no connection without DISCONNECT")


async def obey(line):
    do = globals().get("do_" + line["do"])
    if do is None:
        return say("cannot", text=f"`{line['do']}` is nothing that the adapter knows")
    try:
        await do(line)
    except Exception as error:
        # What gmqtt refuses it raises, and before it has ever had a connection much else.
        say("error", text=str(error))


async def main():
    logging.disable(logging.CRITICAL)
    lines = asyncio.StreamReader(limit=2**28)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    say("ready")
    async for text in lines:
        await obey(json.loads(text))


asyncio.run(main())
