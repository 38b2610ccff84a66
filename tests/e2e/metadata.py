"""A stand-in for the metadata services of the clouds, on 127.0.0.1: the documented answers, and on demand bad ones."""
import datetime
import http.server
import json
import threading
import time


class Metadata:
    """cloud: aws, google, azure. `deadline` = when the machine goes (wall clock), or None; `fault` = what is wrong now:
    None, "500", "garbage", "slow", "endless", "expired" (once), "drop"."""

    def __init__(self, cloud, machine="vm_7"):
        self.cloud, self.machine = cloud, machine
        self.deadline = None
        self.fault, self.tokens, self.requests = None, 0, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.serve(self)

            def do_PUT(self):
                outer.serve(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler):
        self.requests.append((handler.command, handler.path))
        try:
            if self.fault and self.misbehave(handler):
                return
            status, body = getattr(self, self.cloud)(handler)
            self.answer(handler, status, body)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def answer(self, handler, status, body):
        data = body if isinstance(body, bytes) else body.encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def misbehave(self, handler):
        if self.fault == "expired":
            if handler.command == "PUT":
                return False
            self.fault = None
            self.tokens += 1  # those that were given are none any more
            return False
        if self.fault == "500":
            self.answer(handler, 500, "internal")
        elif self.fault == "garbage":
            self.answer(handler, 200, b"\x00\xff{{{<html>" * 50)
        elif self.fault == "slow":
            time.sleep(4)
            self.answer(handler, 200, "FALSE")
        elif self.fault == "endless":
            handler.send_response(200)
            handler.end_headers()
            for _ in range(100000):
                handler.wfile.write(b"x" * 1024)
                time.sleep(0.001)
        elif self.fault == "drop":
            handler.connection.close()
        return True

    def comes_in(self, seconds):
        """The machine is to go."""
        self.deadline = time.time() + seconds

    def at(self):
        return datetime.datetime.fromtimestamp(self.deadline, datetime.timezone.utc)

    def aws(self, handler):
        if (handler.command, handler.path) == ("PUT", "/latest/api/token"):
            if handler.headers.get("X-aws-ec2-metadata-token-ttl-seconds") != "21600":
                return 400, ""
            self.tokens += 1
            return 200, f"token{self.tokens}=="
        if handler.path != "/latest/meta-data/spot/instance-action":
            return 404, ""
        if handler.headers.get("X-aws-ec2-metadata-token") != f"token{self.tokens}==":
            return 401, ""
        if self.deadline is None:
            return 404, "<html>404 - Not Found</html>"
        return 200, json.dumps({"action": "terminate", "time": self.at().strftime("%Y-%m-%dT%H:%M:%SZ")})

    def google(self, handler):
        if handler.headers.get("Metadata-Flavor") != "Google":
            return 403, ""
        path, _, query = handler.path.partition("?")
        if path != "/computeMetadata/v1/instance/preempted":
            return 404, ""
        if "wait_for_change=true" in query:
            until = time.monotonic() + 5
            while self.deadline is None and time.monotonic() < until:
                time.sleep(0.05)
        return 200, "FALSE" if self.deadline is None else "TRUE"

    def azure(self, handler):
        if handler.headers.get("Metadata") != "true":
            return 400, ""
        if handler.path.startswith("/metadata/instance/compute/name?"):
            return 200, self.machine
        if not handler.path.startswith("/metadata/scheduledevents?api-version="):
            return 404, ""
        event = {"EventId": "C7061BAC", "EventStatus": "Scheduled", "EventType": "Freeze", "DurationInSeconds": 5,
                 "ResourceType": "VirtualMachine", "Resources": [self.machine], "NotBefore": "", "Description": "",
                 "EventSource": "Platform"}
        events = [event]
        if self.deadline is not None:
            before = self.at().strftime("%a, %d %b %Y %H:%M:%S GMT")
            events.append(dict(event, EventType="Preempt", Resources=["vm_1"], NotBefore=before))
            events.append(dict(event, EventType="Preempt", NotBefore=before))
        return 200, json.dumps({"DocumentIncarnation": 2, "Events": events})
