"""The adapter of libmosquitto 2, the C library: one client, told what to do by JSON lines. docs/adapters.md documents the lines.

Python only reads and writes the lines. The library is loaded as it is, and speaks MQTT in its own thread (`mosquitto_loop_start`).
"""

import ctypes
import json
import sys
from ctypes import POINTER, byref, c_bool, c_char_p, c_int, c_uint16, c_uint32, c_void_p

library = ctypes.CDLL("libmosquitto.so.1")
library.mosquitto_new.restype = c_void_p
library.mosquitto_new.argtypes = [c_char_p, c_bool, c_void_p]
library.mosquitto_property_next.restype = c_void_p
library.mosquitto_property_next.argtypes = [c_void_p]
library.mosquitto_property_identifier.argtypes = [c_void_p]
library.mosquitto_strerror.restype = c_char_p

PROTOCOL_VERSION, RECEIVE_MAXIMUM = 1, 4  # of mosquitto_int_option


class Message(ctypes.Structure):
    _fields_ = [
        ("mid", c_int),
        ("topic", c_char_p),
        ("payload", c_void_p),
        ("payloadlen", c_int),
        ("qos", c_int),
        ("retain", c_bool),
    ]


# Name of a field of a line, the identifier of its property, and its type.
PROPERTIES = {
    "payload_format": (1, "byte"),
    "message_expiry": (2, "int32"),
    "content_type": (3, "string"),
    "response_topic": (8, "string"),
    "correlation_data": (9, "binary"),
    "subscription_id": (11, "varint"),
    "session_expiry": (17, "int32"),
    "request_problem_information": (23, "byte"),
    "delay": (24, "int32"),
    "request_response_information": (25, "byte"),
    "reason_string": (31, "string"),
    "receive_maximum": (33, "int16"),
    "topic_alias": (35, "int16"),
    "user_properties": (38, "pairs"),
    "maximum_packet_size": (39, "int32"),
}
NUMBERS = {"byte": ctypes.c_uint8, "int16": c_uint16, "int32": c_uint32, "varint": c_uint32}

client = None
identity = None
is_v5 = False


def say(event, **fields):
    known = {name: value for name, value in fields.items() if value is not None}
    print(json.dumps({"event": event, **known}), flush=True)


def tell(function, *arguments):
    """Calls a function of the library about the client, and says what it refuses."""
    error = getattr(library, function)(c_void_p(client), *arguments)
    if error:
        say("error", text=library.mosquitto_strerror(error).decode())


def from_hex(text):
    return None if text is None else bytes.fromhex(text)


def properties(line, *names):
    """A list of those that are set, in 5.0."""
    made = c_void_p()
    for name in names:
        value = line.get(name)
        if value is None or not is_v5:
            continue
        identifier, kind = PROPERTIES[name]
        if kind == "pairs":
            for key, text in value:
                library.mosquitto_property_add_string_pair(byref(made), identifier, key.encode(), text.encode())
        elif kind == "string":
            library.mosquitto_property_add_string(byref(made), identifier, value.encode())
        elif kind == "binary":
            data = from_hex(value)
            library.mosquitto_property_add_binary(byref(made), identifier, data, c_uint16(len(data)))
        else:
            add = getattr(library, f"mosquitto_property_add_{kind}")
            add(byref(made), identifier, NUMBERS[kind](int(value)))
    return made


OF_A_MESSAGE = (
    "payload_format",
    "message_expiry",
    "topic_alias",
    "response_topic",
    "correlation_data",
    "user_properties",
    "content_type",
)


def read(given):
    """The properties of a message that came, as fields of a line."""
    fields = {}
    names = {identifier: (name, kind) for name, (identifier, kind) in PROPERTIES.items()}
    while given:
        identifier = library.mosquitto_property_identifier(given)
        name, kind = names.get(identifier, (None, None))
        here = c_void_p(given)
        if kind == "pairs":
            key, text = c_char_p(), c_char_p()
            library.mosquitto_property_read_string_pair(here, identifier, byref(key), byref(text), False)
            fields.setdefault(name, []).append([key.value.decode(), text.value.decode()])
        elif kind == "string":
            text = c_char_p()
            library.mosquitto_property_read_string(here, identifier, byref(text), False)
            fields[name] = text.value.decode()
        elif kind == "binary":
            data, length = c_void_p(), c_uint16()
            library.mosquitto_property_read_binary(here, identifier, byref(data), byref(length), False)
            fields[name] = ctypes.string_at(data, length.value).hex()
        elif kind:
            number = NUMBERS[kind]()
            getattr(library, f"mosquitto_property_read_{kind}")(here, identifier, byref(number), False)
            if name == "subscription_id":
                fields.setdefault("subscription_ids", []).append(number.value)
            else:
                fields[name] = number.value
        given = library.mosquitto_property_next(given)
    fields.pop("topic_alias", None)
    return fields


@ctypes.CFUNCTYPE(None, c_void_p, c_void_p, POINTER(Message), c_void_p)
def on_message(_client, _data, message, given):
    came = message.contents
    say(
        "message",
        topic=came.topic.decode(),
        payload=ctypes.string_at(came.payload, came.payloadlen).hex() if came.payloadlen else "",
        qos=came.qos,
        retain=came.retain,
        id=came.mid or None,
        **read(given),
    )


@ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int, c_int, c_void_p)
def on_connect(_client, _data, reason, flags, _given):
    if reason:
        return say("error", text=str(reason))
    say("connected", session_present=bool(flags & 1))
    if not flags & 1 and identity["subscribe"]:
        subscribe(identity["subscribe"], {})


@ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int, c_void_p)
def on_disconnect(_client, _data, _reason, _given):
    say("closed")
    if not identity["reconnect"]:
        # The library connects again on its own unless it is told that this was the end.
        library.mosquitto_disconnect(c_void_p(client))


@ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int, c_int, c_void_p)
def on_publish(_client, _data, _mid, _reason, _given):
    say("acknowledged", what="publish")


def subscribe(subscriptions, line):
    given = properties(line, "subscription_id")
    for each in subscriptions:
        options = 0
        if is_v5:
            options = each["no_local"] << 2 | each["retain_as_published"] << 3 | each["retain_handling"] << 4
        tell("mosquitto_subscribe_v5", None, each["filter"].encode(), each["qos"], options, given)


def make(line):
    made = library.mosquitto_new(line["client_id"].encode() or None, line["clean"], None)
    pointer = c_void_p(made)
    library.mosquitto_int_option(pointer, PROTOCOL_VERSION, line["protocol_level"])
    library.mosquitto_connect_v5_callback_set(pointer, on_connect)
    library.mosquitto_disconnect_v5_callback_set(pointer, on_disconnect)
    library.mosquitto_message_v5_callback_set(pointer, on_message)
    library.mosquitto_publish_v5_callback_set(pointer, on_publish)
    if "receive_maximum" in line and is_v5:
        library.mosquitto_int_option(pointer, RECEIVE_MAXIMUM, line["receive_maximum"])
    if "username" in line:
        library.mosquitto_username_pw_set(pointer, line["username"].encode(), from_hex(line.get("password")))
    if "will" in line:
        will = line["will"]
        payload = from_hex(will["payload"])
        given = properties(will, "delay", *OF_A_MESSAGE)
        library.mosquitto_will_set_v5(
            pointer, will["topic"].encode(), len(payload), payload, will["qos"], will["retain"], given
        )
    if reconnect := line.get("reconnect"):
        seconds = [max(1, reconnect[name] // 1000) for name in ("min_ms", "max_ms")]
        library.mosquitto_reconnect_delay_set(pointer, *seconds, reconnect["factor"] > 1)
    return made


def do_connect(line):
    global client, identity, is_v5
    if 0 < line["keep_alive"] < 5:
        return say("cannot", text="libmosquitto takes no keep-alive below 5 s")
    is_v5 = line["protocol_level"] == 5
    # What the session keeps is in the client, which is made anew for another session alone.
    wanted = {"reconnect": "reconnect" in line, **line}
    wanted.setdefault("subscribe", None)
    if client is not None:
        library.mosquitto_loop_stop(c_void_p(client), True)
    if client is None or line["clean"] or wanted != identity:
        identity, client = wanted, make(line)
    names = (
        "session_expiry",
        "receive_maximum",
        "maximum_packet_size",
        "request_problem_information",
        "request_response_information",
        "user_properties",
    )
    given = properties(line, *names)
    arguments = (c_void_p(client), line["host"].encode(), line["port"], line["keep_alive"], None, given)
    error = library.mosquitto_connect_bind_v5(*arguments)
    if error and not identity["reconnect"]:
        say("error", text=str(error))
        return say("closed")
    library.mosquitto_loop_start(c_void_p(client))


def do_subscribe(line):
    subscribe(line["subscriptions"], line)


def do_unsubscribe(line):
    for each in line["filters"]:
        tell("mosquitto_unsubscribe", None, each.encode())


def do_publish(line):
    payload = from_hex(line["payload"])
    given = properties(line, *OF_A_MESSAGE)
    what = (line["topic"].encode(), len(payload), payload, line["qos"], line["retain"])
    tell("mosquitto_publish_v5", None, *what, given)


def do_disconnect(line):
    given = properties(line, "session_expiry", "reason_string", "user_properties")
    tell("mosquitto_disconnect_v5", line.get("reason", 0), given)


def do_close(_line):
    say("cannot", text="libmosquitto closes no connection without DISCONNECT")


library.mosquitto_lib_init()
say("ready")
for text in sys.stdin:
    told = json.loads(text)
    do = globals().get("do_" + told["do"])
    if do is None:
        say("cannot", text=f"`{told['do']}` is nothing that the adapter knows")
    else:
        do(told)
