"""The adapter of paho-mqtt 2: one client, told what to do by JSON lines. docs/adapters.md documents the lines."""

import json
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

client = None
identity = None
is_v5 = False


def say(event, **fields):
    known = {name: value for name, value in fields.items() if value is not None}
    print(json.dumps({"event": event, **known}), flush=True)


def properties(packet_type, **values):
    """Those that are set, in 5.0; paho takes None for none of them."""
    values = {name: value for name, value in values.items() if value is not None}
    if not is_v5 or not values:
        return None
    made = Properties(packet_type)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def from_hex(text):
    return None if text is None else bytes.fromhex(text)


def pairs(line):
    given = line.get("user_properties")
    return given and [tuple(pair) for pair in given]


def message_properties(line):
    return {
        "PayloadFormatIndicator": line.get("payload_format"),
        "MessageExpiryInterval": line.get("message_expiry"),
        "TopicAlias": line.get("topic_alias"),
        "ResponseTopic": line.get("response_topic"),
        "CorrelationData": from_hex(line.get("correlation_data")),
        "UserProperty": pairs(line),
        "ContentType": line.get("content_type"),
    }


def say_message(_client, _userdata, message):
    given = getattr(message, "properties", None)
    correlation_data = getattr(given, "CorrelationData", None)
    say(
        "message",
        topic=message.topic,
        payload=message.payload.hex(),
        qos=message.qos,
        retain=bool(message.retain),
        dup=bool(message.dup),
        id=message.mid or None,
        payload_format=getattr(given, "PayloadFormatIndicator", None),
        message_expiry=getattr(given, "MessageExpiryInterval", None),
        response_topic=getattr(given, "ResponseTopic", None),
        correlation_data=correlation_data and correlation_data.hex(),
        user_properties=getattr(given, "UserProperty", None),
        subscription_ids=getattr(given, "SubscriptionIdentifier", None),
        content_type=getattr(given, "ContentType", None),
    )


def subscribe(subscriptions, subscription_id=None):
    if is_v5:
        filters = [
            (
                each["filter"],
                SubscribeOptions(
                    each["qos"], each["no_local"], each["retain_as_published"], each["retain_handling"]
                ),
            )
            for each in subscriptions
        ]
    else:
        filters = [(each["filter"], each["qos"]) for each in subscriptions]
    client.subscribe(filters, properties=properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=subscription_id))


def on_connect(line):
    def connected(_client, _userdata, flags, reason, _properties):
        if reason.is_failure:
            return say("error", text=str(reason))
        say("connected", session_present=bool(flags.session_present))
        if not flags.session_present and line.get("subscribe"):
            subscribe(line["subscribe"])

    return connected


def make(line):
    made = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id=line["client_id"],
        protocol=mqtt.MQTTv5 if is_v5 else mqtt.MQTTv311,
        clean_session=None if is_v5 else line["clean"],
        reconnect_on_failure="reconnect" in line,
        transport="websockets" if "transport" in line else "tcp",
    )
    made.ws_set_options(path="/mqtt")
    # It cannot be changed once there was a connection.
    made.connect_timeout = line["connect_timeout_ms"] / 1000
    made.on_message = say_message
    made.on_disconnect = lambda *_: say("closed")
    made.on_connect_fail = lambda *_: say("closed")
    made.on_publish = lambda *_: say("acknowledged", what="publish")
    made.on_subscribe = lambda *_: say("acknowledged", what="subscribe")
    made.on_unsubscribe = lambda *_: say("acknowledged", what="unsubscribe")
    return made


def do_connect(line):
    global client, identity, is_v5
    is_v5 = line["protocol_level"] == 5
    # What the session keeps is in the client, which is made anew for another session alone.
    wanted = (line["client_id"], is_v5, "reconnect" in line, is_v5 or line["clean"])
    if client is not None:
        client.loop_stop()
    if wanted != identity:
        client, identity = make(line), wanted
    client.on_connect = on_connect(line)
    client.username_pw_set(line.get("username"), from_hex(line.get("password")))
    client.will_clear()
    if "will" in line:
        will = line["will"]
        its = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=will.get("delay"), **message_properties(will))
        client.will_set(will["topic"], from_hex(will["payload"]), will["qos"], will["retain"], its)
    options = {}
    if is_v5:
        options["clean_start"] = line["clean"]
        options["properties"] = properties(
            PacketTypes.CONNECT,
            SessionExpiryInterval=line.get("session_expiry"),
            ReceiveMaximum=line.get("receive_maximum"),
            MaximumPacketSize=line.get("maximum_packet_size"),
            TopicAliasMaximum=line.get("topic_alias_maximum"),
            RequestResponseInformation=line.get("request_response_information"),
            RequestProblemInformation=line.get("request_problem_information"),
            UserProperty=pairs(line),
        )
    if "reconnect" in line:
        client.reconnect_delay_set(line["reconnect"]["min_ms"] / 1000, line["reconnect"]["max_ms"] / 1000)
        client.connect_async(line["host"], line["port"], line["keep_alive"], **options)
    else:
        try:
            client.connect(line["host"], line["port"], line["keep_alive"], **options)
        except OSError as error:
            say("error", text=str(error))
            return say("closed")
    client.loop_start()


def do_subscribe(line):
    subscribe(line["subscriptions"], line.get("subscription_id"))


def do_unsubscribe(line):
    client.unsubscribe(line["filters"])


def do_publish(line):
    its = properties(PacketTypes.PUBLISH, **message_properties(line))
    client.publish(line["topic"], from_hex(line["payload"]), line["qos"], line["retain"], its)


def do_disconnect(line):
    reason = ReasonCode(PacketTypes.DISCONNECT, identifier=line.get("reason", 0)) if is_v5 else None
    its = properties(
        PacketTypes.DISCONNECT,
        SessionExpiryInterval=line.get("session_expiry"),
        ReasonString=line.get("reason_string"),
        UserProperty=pairs(line),
    )
    client.disconnect(reason, its)


def do_close(_line):
    say("cannot", text="paho-mqtt closes no connection without DISCONNECT")


def obey(line):
    do = globals().get("do_" + line["do"])
    if do is None:
        return say("cannot", text=f"`{line['do']}` is nothing that the adapter knows")
    try:
        do(line)
    except Exception as error:
        # What paho refuses it raises, and before the first connection there is no client.
        say("error", text=str(error))


say("ready")
for text in sys.stdin:
    obey(json.loads(text))
