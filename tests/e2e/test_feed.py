"""The feed as a foreign program sees it: any language with ZeroMQ and msgpack can follow a study without a gap.

Needs python3-zmq and python3-msgpack (Debian); skipped, saying so, without them."""
import struct
import time
import unittest

from farm import FarmTest, PATIENCE, study

try:
    import msgpack
    import zmq
except ImportError:
    zmq = None

EVENTS, BEACON = 51, 96
SEQ, STUDY_SEQ, KIND = 1, 3, 4  # keys of a record, docs/protocol.md
RECORDS = 4


@unittest.skipUnless(zmq, "python3-zmq or python3-msgpack is not installed")
class Feed(FarmTest):
    def frame(self, body):
        magic, major, kind, flags, session, seq, seen, length, crc = struct.unpack(">4sBBHQQQII", body[:40])
        self.assertEqual((magic, major, length), (b"TFM1", 1, len(body) - 40))
        return kind, msgpack.unpackb(body[40:], strict_map_key=False)

    def test_gap_free_with_beacons(self):
        farm = self.farm()
        farm.broker()
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)
        sub = context.socket(zmq.SUB)
        sub.connect(farm.listen + ".feed")
        sub.subscribe(b"study.1.")
        sub.subscribe(b"beacon.")
        sub.setsockopt(zmq.RCVTIMEO, int(PATIENCE * 1000))
        topic, body = sub.recv_multipart()  # the first beacon: the subscription stands
        self.assertEqual((topic, self.frame(body)[0]), (b"beacon.", BEACON))
        farm.optimizer()
        farm.worker(1, 2)
        farm.submit(study("s", 12, ["--steps", "2"]))
        records, beacon = [], 0
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            topic, body = sub.recv_multipart()
            kind, fields = self.frame(body)
            if kind == EVENTS:
                self.assertEqual(topic, b"study.1.")
                records += fields.get(RECORDS, [])
            elif kind == BEACON:
                beacon = fields.get(1, 0)
                if records and records[-1][KIND] == 13 and beacon >= records[-1][SEQ]:  # study_ended
                    break
        self.assertEqual([r[STUDY_SEQ] for r in records], list(range(1, len(records) + 1)))
        self.assertEqual(sum(r[KIND] == 28 for r in records), 12)
        farm.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
