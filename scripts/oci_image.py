#!/usr/bin/env python3
"""Images without an image tool: a directory becomes an archive, an archive goes to a registry on this machine.

    oci_image.py build --root DIR --name NAME:TAG --config JSON --output FILE.tar [--architecture amd64]
    oci_image.py push FILE.tar http://127.0.0.1:5000 [--name NAME:TAG]

`build` writes one gzip layer with owners, modes and links of DIR, in an OCI layout that is a docker-archive too.
The same input gives the same bytes: names are sorted, times are those of SOURCE_DATE_EPOCH (default 0).
`push` talks to loopback addresses only. The Python standard library is all it needs.
"""

import argparse
import gzip
import hashlib
import http.client
import io
import ipaddress
import json
import os
import platform
import stat
import sys
import tarfile
import urllib.parse

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEX = "application/vnd.oci.image.index.v1+json"
CHUNK = 1 << 20
TIMEOUT = 60


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def document(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def descriptor(media_type, content):
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def epoch():
    return int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


# === build ===


def paths(root):
    """Every path below root, parents first, in an order that does not depend on the file system."""
    for directory, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files + folders):
            yield os.path.join(directory, name)


def layer_of(root):
    """The directory as a tar: bytes that depend on nothing but its content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in paths(root):
            mode = os.lstat(path).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
                sys.exit(f"{path}: only files, directories and links go into an image")
            info = tar.gettarinfo(path, os.path.relpath(path, root))
            info.mtime = epoch()
            info.uname = info.gname = ""
            if info.isreg():
                with open(path, "rb") as content:
                    tar.addfile(info, content)
            else:
                tar.addfile(info)
    return out.getvalue()


def build(args):
    tar = layer_of(args.root)
    blob = gzip.compress(tar, compresslevel=6, mtime=0)
    config = document({
        "architecture": args.architecture,
        "os": "linux",
        "config": json.loads(args.config),
        "rootfs": {"type": "layers", "diff_ids": [digest(tar)]},
    })
    manifest = document({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": [descriptor(LAYER, blob)],
    })
    entry = descriptor(MANIFEST, manifest)
    entry["annotations"] = {"org.opencontainers.image.ref.name": args.name}
    entry["platform"] = {"os": "linux", "architecture": args.architecture}
    files = {
        "oci-layout": document({"imageLayoutVersion": "1.0.0"}),
        "index.json": document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}),
        "manifest.json": document([
            {"Config": path_of(config), "RepoTags": [args.name], "Layers": [path_of(blob)]},
        ]),
    }
    files.update({path_of(content): content for content in (config, manifest, blob)})
    with tarfile.open(args.output, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size = len(files[name])
            info.mtime = epoch()
            archive.addfile(info, io.BytesIO(files[name]))


def path_of(content):
    return "blobs/sha256/" + hashlib.sha256(content).hexdigest()


# === push ===


class Registry:
    def __init__(self, base):
        url = urllib.parse.urlsplit(base)
        host = url.hostname or ""
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = host == "localhost"
        if url.scheme != "http" or not loopback or url.path not in ("", "/"):
            sys.exit(f"{base}: only registries on this machine, written http://127.0.0.1:PORT")
        self.address = (host, url.port or 80)

    def call(self, method, path, body=None, headers=None, expect=(200,)):
        connection = http.client.HTTPConnection(*self.address, timeout=TIMEOUT)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            text = answer.read(CHUNK)
        except OSError as error:
            sys.exit(f"{method} {path} at {self.address[0]}:{self.address[1]}: {error}")
        finally:
            connection.close()
        if answer.status not in expect:
            sys.exit(f"{method} {path}: {answer.status} {text[:200]!r}")
        return answer

    def blob(self, repository, name, size, content):
        present = self.call("HEAD", f"/v2/{repository}/blobs/{name}", expect=(200, 404))
        if present.status == 200:
            return
        begun = self.call("POST", f"/v2/{repository}/blobs/uploads/", expect=(202,))
        url = urllib.parse.urlsplit(begun.getheader("Location"))
        query = "&".join(part for part in (url.query, "digest=" + urllib.parse.quote(name)) if part)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self.call("PUT", f"{url.path}?{query}", content, headers, expect=(201,))


def push(args):
    registry = Registry(args.registry)
    with tarfile.open(args.archive) as archive:
        def read(name):
            return archive.extractfile(name).read()

        for entry in json.loads(read("index.json"))["manifests"]:
            name = args.name or entry["annotations"]["org.opencontainers.image.ref.name"]
            repository, _, tag = name.partition(":")
            if "/" not in repository:
                repository = "library/" + repository
            content = read("blobs/sha256/" + entry["digest"].split(":")[1])
            manifest = json.loads(content)
            for blob in [manifest["config"], *manifest["layers"]]:
                member = archive.extractfile("blobs/sha256/" + blob["digest"].split(":")[1])
                registry.blob(repository, blob["digest"], blob["size"], member)
            target = f"/v2/{repository}/manifests/{tag or 'latest'}"
            registry.call("PUT", target, content, {"Content-Type": manifest["mediaType"]}, expect=(201,))
            print(f"{repository}:{tag or 'latest'}@{entry['digest']}")


def main():
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("build", help="a directory becomes an archive")
    command.add_argument("--root", required=True)
    command.add_argument("--name", required=True)
    command.add_argument("--config", default="{}", help="the image's 'config' object, as JSON")
    command.add_argument("--architecture", default=machine)
    command.add_argument("--output", required=True)
    command.set_defaults(run=build)
    command = commands.add_parser("push", help="an archive goes to a registry on this machine")
    command.add_argument("archive")
    command.add_argument("registry")
    command.add_argument("--name")
    command.set_defaults(run=push)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
