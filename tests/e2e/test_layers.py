"""Layers: modules that real functions import from archives of their own."""

import pytest
from botocore.exceptions import ClientError

from test_functions import cloud, invoke, make, packed, role

__all__ = ["cloud", "role"]


def publish(cloud, name, files, **more):
    return cloud.client("lambda").publish_layer_version(LayerName=name, Content={"ZipFile": packed(**files)}, **more)


def test_a_function_imports_a_module_of_its_layer_also_after_it_was_deleted(cloud, role, tmp_path):
    (tmp_path / "layer.zip").write_bytes(packed(**{"python/greeting__py": "def hello(name):\n    return f'hello {name}'\n"}))
    layer = cloud.aws("lambda", "publish-layer-version", "--layer-name", "greeting", "--zip-file", f"fileb://{tmp_path}/layer.zip",
                      "--compatible-runtimes", "python3.11", "--license-info", "MIT")
    assert layer["LayerVersionArn"] == f"arn:aws:lambda:{cloud.region}:{cloud.account}:layer:greeting:1"
    make(cloud, role, "greets", "import greeting\ndef handler(event, context):\n    return greeting.hello(event)\n",
         Layers=[layer["LayerVersionArn"]])
    assert invoke(cloud, "greets", "world")[:2] == (None, "hello world")
    api = cloud.client("lambda")
    assert api.get_layer_version_by_arn(Arn=layer["LayerVersionArn"])["LicenseInfo"] == "MIT"
    assert [one["LayerName"] for one in api.list_layers(CompatibleRuntime="python3.11")["Layers"]] == ["greeting"]
    cloud.aws("lambda", "delete-layer-version", "--layer-name", "greeting", "--version-number", "1")
    with pytest.raises(ClientError, match="does not exist"):
        make(cloud, role, "late", "", Layers=[layer["LayerVersionArn"]])
    # The archive stays while a function has it, also over a restart, which clears away what nothing needs.
    cloud.kill()
    cloud.up()
    assert invoke(cloud, "greets", "again")[:2] == (None, "hello again")


def test_later_layers_lie_over_earlier_ones_and_below_the_code(cloud, role):
    first = publish(cloud, "first", {"python/one__py": "says = 'first'", "python/two__py": "says = 'first'", "data/text": "x"})
    second = publish(cloud, "second", {"python/lib/python3__11/site-packages/three__py": "says = 'packages'",
                                       "python/two__py": "says = 'second'", "python/app__py": "raise SystemExit('not mine')"})
    make(cloud, role, "stack", """
import one, two, three
def handler(event, context):
    return [one.says, two.says, three.says, open('/opt/data/text').read()]
""", Layers=[first["LayerVersionArn"], second["LayerVersionArn"]])
    assert invoke(cloud, "stack")[:2] == (None, ["first", "second", "packages", "x"])
    cloud.client("lambda").update_function_configuration(
        FunctionName="stack", Layers=[second["LayerVersionArn"], first["LayerVersionArn"]])
    assert invoke(cloud, "stack")[:2] == (None, ["first", "first", "packages", "x"])


def test_javascript_requires_a_module_of_its_layer(cloud, role):
    layer = publish(cloud, "js", {"nodejs/node_modules/add/index__js": "module.exports = (a, b) => a + b;\n"})
    make(cloud, role, "adds", "const add = require('add');\nexports.handler = async (event) => add(event, 1);\n",
         runtime="nodejs18.x", Layers=[layer["LayerVersionArn"]])
    assert invoke(cloud, "adds", 2)[:2] == (None, 3)


def test_another_account_uses_a_layer_that_was_shared_with_it(cloud):
    layer = publish(cloud, "shared", {"python/shared__py": ""})
    arn = layer["LayerVersionArn"]
    stranger = cloud.client("lambda", account="111111111111")
    with pytest.raises(ClientError, match="no resource-based policy allows"):
        stranger.get_layer_version(LayerName=layer["LayerArn"], VersionNumber=1)
    cloud.aws("lambda", "add-layer-version-permission", "--layer-name", "shared", "--version-number", "1", "--statement-id", "s",
              "--principal", "111111111111", "--action", "lambda:GetLayerVersion")
    assert stranger.get_layer_version(LayerName=layer["LayerArn"], VersionNumber=1)["LayerVersionArn"] == arn
    assert "111111111111" in cloud.aws("lambda", "get-layer-version-policy", "--layer-name", "shared", "--version-number", "1")["Policy"]
    cloud.aws("lambda", "remove-layer-version-permission", "--layer-name", "shared", "--version-number", "1", "--statement-id", "s")
    with pytest.raises(ClientError, match="no resource-based policy allows"):
        stranger.get_layer_version_by_arn(Arn=arn)
