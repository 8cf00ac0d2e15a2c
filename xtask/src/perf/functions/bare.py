"""The handler of the function behind the plainest server there is: an HTTP round trip with nothing else in it."""

import http.server
import json
import sys

sys.path.insert(0, "/tmp")
from lambda_function import handler


class Bare(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = json.dumps(handler(event, None)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.wfile.flush()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Bare).serve_forever()
