"""A foreign peer in a few lines, from docs/protocol.md alone: it says whatever a test wants said, right or wrong.

Needs python3-zmq and python3-msgpack (Debian); `zmq` is None without them."""
import hashlib
import json
import os
import struct
import time

try:
    import msgpack
    import zmq
except ImportError:
    msgpack = zmq = None

HELLO, WELCOME, BEAT, BEAT_ACK, BYE, ERROR = 1, 2, 3, 4, 5, 6
CREDIT, ASSIGN, START, REPORT, CHECKPOINT, FINAL, RELEASE, ACK, NAK = 16, 17, 18, 19, 20, 21, 22, 23, 24
DRAIN = 27
GET_BLOB, BLOB, GET_LOG, LOG_TEXT = 29, 30, 31, 32
ATTACHED, DETACHED, PULL, EVENTS, WANT, PROPOSE, CLOSE_STUDY, PRUNE = 48, 49, 50, 51, 52, 53, 54, 55
SUBMIT, PUT_BLOB, ENQUEUE, CANCEL, SQL, ROWS, TAIL, REPLY = 80, 81, 82, 83, 84, 85, 86, 87
INSPECT = 94
WORKER, OPTIMIZER, CLIENT = 1, 2, 3

TABLE = []
for number in range(256):
    for _ in range(8):
        number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
    TABLE.append(number)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def digest(data):
    return hashlib.blake2b(data, digest_size=32).digest()


class Peer:
    """One connection; hello() opens a session on it."""

    def __init__(self, context, endpoint, patience=60, **curve):
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.set_hwm(0)
        self.socket.rcvtimeo = int(patience * 1000)
        for option, key in curve.items():  # curve_publickey and so on
            setattr(self.socket, option, key)
        self.session = self.sent = 0
        self.id = os.urandom(16)
        self.socket.connect(endpoint)

    def close(self):
        self.socket.close(0)

    def frame(self, kind, body, session=None, magic=b"TFM1", major=1, length=None, crc=None, seq=None):
        if isinstance(body, dict):
            body = msgpack.packb(body)
        self.sent = self.sent + 1 if seq is None else seq
        return struct.pack(">4sBBHQQQII", magic, major, kind, 0, self.session if session is None else session,
                           self.sent, 0, len(body) if length is None else length,
                           crc32c(body) if crc is None else crc) + body

    def send(self, kind, body, **header):
        self.socket.send(self.frame(kind, body, **header))

    def receive(self):
        """The next message: kind and fields; zmq.Again when none comes."""
        frame = self.socket.recv()
        return frame[5], msgpack.unpackb(frame[40:], strict_map_key=False, unicode_errors="replace")

    def expect(self, *kinds):
        while True:
            kind, fields = self.receive()
            if kind in kinds:
                return kind, fields

    def hello(self, role, **fields):
        body = {1: role, 2: 1, 3: 1, 5: self.id, 6: "h", 7: 1, 15: 1}
        body.update({int(k[1:]): v for k, v in fields.items()})
        self.session = 0
        self.send(HELLO, body)
        kind, welcome = self.expect(WELCOME, ERROR)
        if kind == ERROR:
            raise ConnectionError(str(welcome))
        self.session, self.sent = welcome[6], 0  # a session's frames are counted from 1
        return welcome

    def ask(self, kind, fields, *answers):
        """A request with a fresh id and its answer."""
        request = os.urandom(16)
        self.send(kind, {1: request, **fields})
        while True:
            got, body = self.expect(*(answers or (REPLY, ERROR)))
            if got == ERROR or body.get(5 if got == EVENTS else 1) == request:
                return got, body

    def sql(self, query, args=()):
        """All rows as JSON texts, and the error."""
        rows, request = [], os.urandom(16)
        self.send(SQL, {1: request, 2: query, 3: list(args)} if args else {1: request, 2: query})
        while True:
            kind, body = self.expect(ROWS, ERROR)
            if kind == ERROR:
                return rows, body.get(3)
            rows += body.get(3, [])
            if not body.get(4):
                return rows, body.get(5, "")

    def inspect(self, what):
        """Rows of a table of the broker's own as dicts."""
        columns, rows, request = [], [], os.urandom(16)
        self.send(INSPECT, {1: request, 2: what})
        while True:
            kind, body = self.expect(ROWS, ERROR)
            if kind == ERROR or body.get(5):
                raise ConnectionError(str(body))
            columns = columns or body.get(2, [])
            rows += [dict(zip(columns, json.loads(r))) for r in body.get(3, [])]
            if not body.get(4):
                return rows

    def submit(self, name, spec):
        """spec: bytes of JSON."""
        return self.ask(SUBMIT, {2: name, 3: spec.decode(), 4: digest(spec), 7: digest(b"search")})[1]

    def beat_until(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.send(BEAT, {4: 1})
            time.sleep(0.5)
