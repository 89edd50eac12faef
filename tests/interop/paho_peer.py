"""One client of paho-mqtt. Takes commands from stdin, one a line, and prints what happens: see tests/interop/peer.rs."""

import os
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

port, version = map(int, sys.argv[1:])
client = None


def say(*words):
    print(*words, flush=True)


def ended(*_):
    say("closed")
    os._exit(0)


def connect(client_id, clean, keepalive, topic=None, payload=None, qos=0, retain=0):
    global client
    is_v5 = version == 5
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=mqtt.MQTTv5 if is_v5 else mqtt.MQTTv311,
        clean_session=None if is_v5 else clean == "1",
        transport="websockets" if os.environ.get("TRANSPORT") == "ws" else "tcp",
    )
    client.on_connect = lambda _c, _u, flags, reason, _p: (
        say("error", reason) if reason.is_failure else say("connected", int(flags.session_present))
    )
    client.on_subscribe = lambda _c, _u, _m, reasons, _p: say("subscribed", reasons[0].value)
    client.on_publish = lambda *_: say("published")
    client.on_message = lambda _c, _u, message: say(
        "message", message.topic, message.payload.decode(), message.qos, int(message.retain)
    )
    client.on_disconnect = ended
    if topic:
        client.will_set(topic, payload, int(qos), retain == "1")
    if is_v5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0 if clean == "1" else 3600
        client.connect("127.0.0.1", port, int(keepalive), clean_start=clean == "1", properties=properties)
    else:
        client.connect("127.0.0.1", port, int(keepalive))
    client.loop_start()


def subscribe(topic_filter, qos):
    client.subscribe(topic_filter, int(qos))


def publish(topic, payload, qos, retain):
    client.publish(topic, payload, int(qos), retain == "1")


def disconnect():
    client.disconnect()


for line in sys.stdin:
    command, *words = line.rstrip("\n").split(" ")
    {"connect": connect, "subscribe": subscribe, "publish": publish, "disconnect": disconnect}[command](*words)
