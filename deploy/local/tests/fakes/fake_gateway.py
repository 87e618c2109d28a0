import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import fake_service


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")


fake_service.wait_while_slow("gateway")
server = HTTPServer((os.environ["VYOMO_HTTP_HOST"], int(os.environ["VYOMO_HTTP_PORT"])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
fake_service.run("gateway")
