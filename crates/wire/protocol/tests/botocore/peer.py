"""The clients' side of the round trip: botocore's own serializers and parsers against our codecs.

Talks to the test that started it in lines of JSON: a model to load, a request to decode, an output or an error to
encode; the answer comes as one line. Everything else goes to stderr. Exits with 1 if anything differed.
"""
import base64
import copy
import datetime
import json
import math
import pathlib
import random
import sys

from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import PROTOCOL_PARSERS
from botocore.serialize import SERIALIZERS

ROOT = pathlib.Path(sys.argv[1])
DATA = ROOT / "crates/wire/protocol/tests/data"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
ROUNDS = 4
WORDS = ["plain", "a b", "x&y=z;+%2F", "<tag attr='1'>\"q\"</tag>", "\u00e9\u4e2d\U0001f600", "tab\tand\nline", " edge "]
# What botocore's own runner leaves out, because botocore reads these answers otherwise than the specification does.
IGNORED = json.loads((DATA / "vectors/botocore-reads-otherwise.json").read_text())

failures = []
counts = {}


def ask(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
    answer = json.loads(sys.stdin.readline())
    if "failed" in answer:
        raise AssertionError(answer["failed"])
    return answer


def check(kind, name, wanted, got):
    if wanted == got:
        counts[kind] = counts.get(kind, 0) + 1
    else:
        failures.append(f"{kind} {name}\n  wanted {wanted}\n  got    {got}")


def attempt(kind, name, step):
    try:
        step()
    except Exception as error:  # the next case may still tell something
        failures.append(f"{kind} {name}: {type(error).__name__}: {error}")


# Samples


def hollow(shape, depth):
    """Whether a shape has nothing to say within this depth but structures inside of structures."""
    if shape.type_name in ("list", "map"):
        return hollow(shape.member if shape.type_name == "list" else shape.value, depth)
    if shape.type_name != "structure":
        return False
    return depth <= 0 or all(hollow(member, depth - 1) for member in shape.members.values())


def sample(shape, chance, depth=0, place=None):
    kind = shape.type_name
    if kind == "structure":
        if shape.is_document_type:
            return {"free": [1, "x", {"y": True}]}
        members = {}
        names = list(shape.members)
        if shape.is_tagged_union:
            names = [chance.choice(names)]
        for name in names:
            member = shape.members[name]
            if depth >= 2 and hollow(member, 4 - depth):
                continue
            required = name in shape.required_members or shape.is_tagged_union
            place = member.serialization.get("location") if depth == 0 else None
            if name == shape.serialization.get("payload"):
                place = "payload"
            if depth > 3 or (not required and chance.random() < 0.25):
                if not required:
                    continue
            members[name] = sample(member, chance, depth + 1, place)
        if not members and names:
            # Forms and XML cannot carry a structure without members.
            plain = [n for n in names if shape.members[n].type_name not in ("structure", "list", "map")]
            for name in plain[:1]:
                members[name] = sample(shape.members[name], chance, depth + 1, place)
        return members
    if kind == "list":
        count = chance.randint(1, 3)
        return [sample(shape.member, chance, depth + 1, place) for _ in range(count)]
    if kind == "map":
        keys = ["alpha", "b-c", "key9"] if place else ["alpha", "b c", "<k>&\u00e9"]
        value = "header" if place == "headers" else place
        return {key: sample(shape.value, chance, depth + 1, value) for key in keys[: chance.randint(1, 3)]}
    if kind == "string":
        if shape.enum:
            return chance.choice(shape.enum)
        if place in ("header", "headers"):
            return chance.choice(["plain", "a-b", "x_y"])
        if place == "uri":
            return chance.choice(["plain", "a b", "x&y=z+%", "\u00e9\u4e2d", "dots.and-dashes"])
        return chance.choice(WORDS)
    if kind in ("integer", "long"):
        if place == "status":
            return 202
        wide = 2**53 if kind == "long" else 2**31 - 1
        return chance.choice([0, 1, -1, 42, wide, -wide])
    if kind in ("float", "double"):
        return chance.choice([0.0, 1.5, -2.25, 1e10, 1e-7])
    if kind == "boolean":
        return chance.choice([True, False])
    if kind == "blob":
        return b"text \xc3\xa9" if place == "payload" else bytes(chance.choices(range(256), k=9))
    if kind == "timestamp":
        return EPOCH + datetime.timedelta(seconds=chance.choice([0, 1, 1398796238, 4102444800]))
    raise AssertionError(f"no sample of {kind}")


def samples(shape, name):
    if shape is None:
        return [{}]
    made = []
    for round_number in range(ROUNDS):
        value = sample(shape, random.Random(f"{name}/{round_number}"))
        for member in shape.members:
            if shape.members[member].serialization.get("location") == "statusCode":
                value[member] = 202
        made.append(value)
    return made


def tagged(value):
    """As the other side writes values: what JSON cannot carry stands in an object of its own."""
    if isinstance(value, dict):
        return {key: tagged(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [tagged(inner) for inner in value]
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"$time": (value - EPOCH).total_seconds()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    return value


# Both directions of one operation


def request_of(service, operation, params):
    serializer = SERIALIZERS[service.metadata["protocol"]]()
    request = serializer.serialize_to_request(copy.deepcopy(params), operation)
    prepare_request_dict(request, "http://localhost")
    prepared = create_request_object(request).prepare()
    body = prepared.body or b""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = body.read()
    headers = {key: value.decode() if isinstance(value, bytes) else value for key, value in prepared.headers.items()}
    return {
        "method": prepared.method,
        "uri": prepared.url[len("http://localhost"):],
        "headers": headers,
        "body": base64.b64encode(body).decode(),
    }


def parsed(protocol, operation, answer, shape):
    response = {
        "status_code": answer["status"],
        "headers": HeadersDict(answer["headers"]),
        "body": base64.b64decode(answer["body"]),
        "context": {"operation_name": operation.name},
    }
    return PROTOCOL_PARSERS[protocol]().parse(response, shape)


def settle(shape, value):
    """Differences that botocore makes by itself: a blob that is a whole body is parsed as text."""
    if shape is not None:
        payload = shape.serialization.get("payload")
        if payload in value and shape.members[payload].type_name == "blob" and isinstance(value[payload], str):
            value[payload] = value[payload].encode()
    return value


def empty_less(shape, value):
    """Without the maps of headers that botocore adds when there are none."""
    if shape is None:
        return value
    prefixed = [n for n, m in shape.members.items() if m.serialization.get("location") == "headers"]
    return {k: v for k, v in value.items() if not (k in prefixed and v == {})}


def round_trip(name, model, lost=lambda operation, value: value):
    service = ServiceModel(model)
    protocol = service.metadata["protocol"]
    ask(load=name, model=model)
    for operation_name in sorted(model["operations"]):
        operation = service.operation_model(operation_name)
        for params in samples(operation.input_shape, operation_name):
            def requests(params=params):
                request = request_of(service, operation, params)
                answer = ask(decode=name, operation=operation_name, request=request)
                check("request", f"{name} {operation_name}", tagged(params), answer["value"])
            attempt("request", f"{name} {operation_name}", requests)
        # A stream of events goes on behind the answer's head; botocore reads it from a connection, in tests/e2e.
        outputs = [] if operation.has_event_stream_output else samples(operation.output_shape, operation_name)
        for output in outputs:
            def responses(output=output):
                answer = ask(encode=name, operation=operation_name, output=tagged(output))
                got = parsed(protocol, operation, answer, operation.output_shape)
                metadata = got.pop("ResponseMetadata", {})
                got = empty_less(operation.output_shape, settle(operation.output_shape, got))
                whole = operation.output_shape.serialization.get("payload") if operation.output_shape else None
                for body in ("body", whole):
                    if not output.get(body):
                        # botocore makes an absent body an empty one.
                        got = {k: v for k, v in got.items() if (k, v) != (body, b"")}
                check("response", f"{name} {operation_name}", output, got)
                if operation.output_shape is not None or not protocol.endswith("cbor"):
                    check("request id", name, "the-id", metadata.get("RequestId"))
            attempt("response", f"{name} {operation_name}", responses)
    for error_name, shape in sorted(model["shapes"].items()):
        if not shape.get("exception"):
            continue
        def errors(error_name=error_name, shape=shape):
            code = shape.get("error", {}).get("code", error_name)
            error_shape = service.shape_for(error_name)
            members = sample(error_shape, random.Random(error_name))
            members = {k: v for k, v in members.items() if k.lower() != "message"}
            operation = service.operation_model(sorted(model["operations"])[0])
            message = "what <went> & \"wrong\""
            answer = ask(error=name, code=code, message=message, members=tagged(members))
            got = parsed(protocol, operation, answer, operation.output_shape)
            check("error", f"{name} {error_name}", (code, message), (got["Error"]["Code"], got["Error"]["Message"]))
            got = parsed(protocol, operation, answer, error_shape)
            got = {k: v for k, v in got.items() if k in members}
            check("error members", f"{name} {error_name}", members, got)
        attempt("error", f"{name} {error_name}", errors)


# The official vectors, the answers' side


def seconds(value):
    from botocore.utils import parse_timestamp
    return parse_timestamp(value).timestamp()


def words(value):
    if isinstance(value, dict):
        return {key: words(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [words(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def vectors():
    for path in sorted((DATA / "vectors/output").glob("*.json")):
        for suite in json.loads(path.read_text()):
            for case in suite["cases"]:
                if case["id"] not in IGNORED:
                    attempt("vector", f"{path.stem} {case['id']}", lambda: vector(path.stem, suite, case))


def vector(file, suite, case):
    name = case["given"]["name"]
    model = {key: suite[key] for key in ("metadata", "shapes")}
    model = copy.deepcopy(model | {"operations": {name: case["given"]}})
    ask(load="vector", model=model)
    service = ServiceModel(model)
    operation = OperationModel(case["given"], service)
    protocol = service.metadata["protocol"]
    parser = PROTOCOL_PARSERS[protocol](timestamp_parser=seconds)
    shape = operation.output_shape
    if "error" in case:
        members = {k: v for k, v in case["error"].items() if k.lower() != "message"}
        code = case["errorCode"]
        message = case.get("errorMessage", "")
        answer = ask(error="vector", code=code, message=message, members=members, plain=True, status=case["response"]["status_code"])
    else:
        answer = ask(encode="vector", operation=name, output=case["result"], plain=True)
        # A member may be the status.
        check("vector status", case["id"], case["response"]["status_code"], answer["status"])
        if protocol == "query" and shape is not None:
            shape.serialization["resultWrapper"] = f"{name}Result"
    response = {
        "status_code": answer["status"],
        "headers": HeadersDict(answer["headers"]),
        "body": base64.b64decode(answer["body"]),
        "context": {"operation_name": name},
    }
    got = parser.parse(response, shape)
    if "error" in case:
        check("vector error", case["id"], (code, message), (got["Error"]["Code"], got["Error"]["Message"]))
        return
    got.pop("ResponseMetadata", None)
    for member, value in got.items():
        if isinstance(value, dict) and shape.members[member].serialization.get("location") == "headers":
            for added in ("content-type", "x-amzn-requestid"):
                value.pop(added, None)
    check("vector", f"{file} {case['id']}", words(case["result"]), empty_less_like(case["result"], words(got)))


def empty_less_like(wanted, got):
    return {k: v for k, v in got.items() if v != {} or k in wanted}


def as_form(model):
    """The model as it was while the service spoke the query protocol first."""
    model = copy.deepcopy(model)
    for shape in model["shapes"].values():
        for member in shape.get("members", {}).values():
            if "formName" in member:
                member["locationName"] = member.pop("formName")
    return model


def main():
    # Every service there is, in every protocol it speaks.
    for path in sorted((ROOT / "models").glob("*.json")):
        model = json.loads(path.read_text())
        metadata = model["metadata"]
        for protocol in metadata.get("protocols") or [metadata["protocol"]]:
            spoken = as_form(model) if protocol == "query" else model
            round_trip(f"{path.stem} {protocol}", spoken | {"metadata": metadata | {"protocol": protocol}})
            counts["services"] = counts.get("services", 0) + 1
    synthetic = json.loads((DATA / "synthetic.json").read_text())
    base = {"apiVersion": "2026-01-01", "serviceId": "Synthetic", "endpointPrefix": "synthetic", "targetPrefix": "Synthetic"}
    for protocol, parts, extra in [
        ("json", ["rpc"], {"jsonVersion": "1.0"}),
        ("json", ["rpc"], {"jsonVersion": "1.1"}),
        ("query", ["rpc", "query"], {"xmlNamespace": "https://synthetic.example/"}),
        ("ec2", ["ec2"], {"xmlNamespace": "https://synthetic.example/"}),
        ("rest-json", ["rest"], {}),
        ("rest-xml", ["rest"], {"xmlNamespace": "https://synthetic.example/"}),
        ("smithy-rpc-v2-cbor", ["rpc"], {}),
    ]:
        operations = {}
        for part in parts:
            operations |= copy.deepcopy(synthetic[part])
        if protocol == "query":
            for name, operation in operations.items():
                if "output" in operation:
                    operation["output"]["resultWrapper"] = f"{name}Result"
        model = {
            "metadata": base | extra | {"protocol": protocol, "protocols": [protocol]},
            "shapes": copy.deepcopy(synthetic["shapes"]),
            "operations": operations,
        }
        round_trip(f"{protocol} {extra.get('jsonVersion', '')}".strip(), model)
    vectors()
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{counts}, {len(failures)} failures", file=sys.stderr)
    ask(done=counts, failures=len(failures))


main()
