"""Bad, repeated, stale, forged and reordered messages: each is refused with a sentence, changes nothing, and is counted by its cause.

Needs python3-zmq and python3-msgpack (Debian); skipped, saying so, without them."""
import os
import unittest

from farm import FarmTest, oracle, study
from peer import (ACK, ASSIGN, ATTACHED, BEAT, BEAT_ACK, CANCEL, CHECKPOINT, CLIENT, CREDIT, DETACHED, DRAIN, ENQUEUE, ERROR, EVENTS,
                  FINAL, GET_LOG, HELLO, LOG_TEXT, NAK, OPTIMIZER, PROPOSE, PRUNE, PULL, RELEASE, REPLY, REPORT, ROWS, SQL,
                  START, TAIL, WANT, WELCOME, WORKER, Peer, digest, msgpack, zmq)

SPEC = (b'{"study":"s","objective":{"command":["true"],"metric":"loss"},"space":{"x":{"float":[0,1]}},'
        b'"enqueue":[{"x":0.5},{"x":0.25}]}')
UNKNOWN, FINISHED, SUPERSEDED, NOT_OWNER = 2, 1, 0, 4  # NAK codes


@unittest.skipUnless(zmq, "python3-zmq or python3-msgpack is not installed")
class Counters(FarmTest):
    def setUp(self):
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy, 0)
        self.served = self.farm(["--lease-ttl", "2s", "--beat", "0.5s", "--max-workers", "3"])
        self.served.broker()
        self.looker = self.peer(CLIENT)

    def peer(self, role, **fields):
        peer = Peer(self.context, self.served.listen)
        self.addCleanup(peer.close)
        peer.hello(role, **fields)
        return peer

    def counted(self, role=None):
        """The farm's counters, over all roles or of one."""
        sums = {}
        for row in self.looker.inspect("counters"):
            if not row["id"] and role in (None, row["role"]):
                sums[row["counter"]] = sums.get(row["counter"], 0) + row["n"]
        return sums

    def assert_counts(self, role=None, **expected):
        """Exactly these rose since the test began; what comes without an answer is waited for."""
        self.served.wait(lambda: all(self.counted(role).get(k, 0) >= n for k, n in expected.items()), f"the counters {expected}")
        self.assertEqual({k: n for k, n in self.counted(role).items() if k not in ("silent", "old_credit")}, expected)

    def tried(self, peer, kind, body, name, **header):
        peer.send(kind, body, **header)
        answer = peer.expect(ERROR)[1]
        self.assertEqual(answer[2], name)
        self.assertTrue(answer[3], "a sentence")

    def attempt(self, worker):
        assign = worker.expect(ASSIGN)[1]
        return {1: assign[1], 2: assign.get(2, 0), 3: assign[3]}

    def assert_journal_sound(self):
        self.served.stop()
        oracle(self, self.served.db)

    def test_frames_that_are_none(self):
        peer = self.peer(CLIENT)
        peer.send(BEAT, {4: 1})
        peer.socket.send(b"")
        peer.socket.send(b"TFM1")
        peer.send(BEAT, {4: 1}, magic=b"TFM2")
        peer.send(BEAT, {4: 1}, length=7)
        peer.send(BEAT, {4: 1}, crc=1)
        peer.socket.send_multipart([peer.frame(BEAT, {4: 1}), b"more"])
        peer.send(BEAT, {4: 1})
        peer.expect(BEAT_ACK)
        # The numbers of those frames were never seen, so they are missing too.
        self.assert_counts(bad_frame=5, bad_checksum=1, missing_frames=4)

    def test_bodies_versions_and_kinds(self):
        peer, one, other = (self.peer(CLIENT) for _ in range(3))
        self.tried(peer, BEAT, b"\xc1", "INVALID")
        self.tried(peer, BEAT, {4: "x"}, "INVALID")
        self.tried(peer, BEAT, msgpack.packb({1: 1})[:-1], "INVALID")
        self.tried(peer, BEAT, {4: 1}, "VERSION", major=2)
        self.tried(one, HELLO, {1: CLIENT, 2: 7, 3: 9, 5: one.id}, "VERSION", session=0)
        self.tried(peer, 250, {}, "UNSUPPORTED")
        self.tried(peer, START, {1: 1, 2: 0, 3: 1}, "REFUSED")
        self.tried(other, HELLO, {1: 9, 2: 1, 3: 1, 5: other.id}, "INVALID", session=0)
        self.assert_counts("client", invalid_body=3, other_version=2, unknown_kind=1, refused_role=1, invalid_hello=1)

    def test_sequence_numbers(self):
        peer = self.peer(CLIENT)
        for seq in (1, 2, 6, 2, 7):
            peer.send(BEAT, {4: 1}, seq=seq)
            peer.expect(BEAT_ACK)
        self.assert_counts("client", missing_frames=3, repeated_frame=1)

    def test_sessions(self):
        peer, other = self.peer(CLIENT), self.peer(CLIENT)
        self.tried(peer, BEAT, {4: 1}, "STALE", session=peer.session + 1000)
        self.tried(peer, BEAT, {4: 1}, "STALE", session=other.session)  # forged
        self.tried(peer, BEAT, {4: 1}, "STALE", session=0)
        peer.hello(CLIENT)
        worker = self.peer(WORKER, f9=1)
        worker.hello(WORKER, f9=1)
        stranger = Peer(self.context, self.served.listen)
        self.addCleanup(stranger.close)
        self.tried(stranger, BEAT, {4: 1}, "STALE", session=peer.session)
        for _ in range(2):
            self.peer(WORKER, f9=1)
        with self.assertRaisesRegex(ConnectionError, "LIMIT"):
            self.peer(WORKER, f9=1)
        self.assert_counts(stale_session=4, repeated_hello=2, too_many_sessions=1)
        self.assertEqual(self.counted("none"), {"stale_session": 1, "too_many_sessions": 1})

    def test_a_frame_that_is_too_large(self):
        worker = self.peer(WORKER, f9=1)
        self.tried(worker, BEAT, {4: 1, 99: b"x" * 300000}, "LIMIT")
        self.assert_counts("worker", too_large=1)

    def test_attempts(self):
        self.assertEqual(self.looker.submit("s", SPEC)[2], "OK")
        worker, thief = self.peer(WORKER, f9=1), self.peer(WORKER, f9=1)
        worker.send(CREDIT, {1: 50})
        attempt = self.attempt(worker)
        worker.send(CREDIT, {1: 50})
        for kind, more in ((START, {4: 1}), (START, {4: 1}), (CHECKPOINT, {4: 1, 5: "u"}), (CHECKPOINT, {4: 1, 5: "u"})):
            worker.send(kind, {**attempt, **more})
            worker.expect(ACK)
        point = {1: 1, 2: True, 3: 0.5}
        for points in ([point], [point], [point, {**point, 1: 2}]):
            worker.send(REPORT, {**attempt, 4: points})
            worker.expect(ACK)
        self.tried(worker, REPORT, {**attempt, 4: [{**point, 1: 9}, {**point, 1: 8}]}, "INVALID")  # reordered
        self.tried(worker, REPORT, {**attempt, 4: [{**point, 1: 9, 4: "[1]"}]}, "INVALID")
        for forged, code in (({**attempt, 2: 99}, UNKNOWN), ({**attempt, 1: 77}, UNKNOWN), ({**attempt, 3: 2}, UNKNOWN)):
            worker.send(FINAL, {**forged, 5: True, 6: 0.0})
            self.assertEqual(worker.expect(NAK)[1].get(5, 0), code)
        thief.send(FINAL, {**attempt, 5: True, 6: 0.0})
        self.assertEqual(thief.expect(NAK)[1].get(5, 0), NOT_OWNER)
        worker.send(FINAL, {**attempt, 5: True, 6: 0.5})
        second = self.attempt(worker)
        worker.send(FINAL, {**attempt, 5: True, 6: 0.5})
        worker.expect(ACK)
        thief.send(REPORT, {**attempt, 4: [point]})
        self.assertEqual(thief.expect(NAK)[1].get(5, 0), FINISHED)
        worker.send(DRAIN, {})
        for _ in range(2):
            worker.send(RELEASE, second)
            worker.expect(ACK)
        worker.send(BEAT, {4: 1})  # drains no more
        third = self.attempt(worker)
        worker.send(START, second)
        self.assertEqual(worker.expect(NAK)[1].get(5, 0), SUPERSEDED)
        worker.send(BEAT, {2: [{**third, 4: 1}, {**second, 4: 1}], 4: 1})
        self.assertEqual(worker.expect(BEAT_ACK)[1][3][0][4], 2)  # kill the old one
        worker.send(LOG_TEXT, {1: os.urandom(16), 2: b"x"})
        self.assert_counts("worker", excess_credit=1, repeated_start=1, repeated_checkpoint=1, repeated_report=2,
                           invalid_value=2, unknown_attempt=3, not_owner=1, repeated_final=1, finished=1,
                           repeated_release=1, superseded=1, held_refused=1, unasked_log=1)
        self.assertEqual(self.counted("worker")["old_credit"], 1)
        stats = self.served.tunefarm("workers", "--stats").stdout
        self.assertIn("repeated_final", stats)
        self.assertIn("acknowledged again", stats)
        self.assert_journal_sound()

    def test_a_silent_worker(self):
        self.assertEqual(self.looker.submit("s", SPEC)[2], "OK")
        worker = self.peer(WORKER, f9=1)
        worker.send(CREDIT, {1: 1})
        attempt = self.attempt(worker)
        worker.send(START, attempt)
        worker.expect(ACK)
        self.served.wait(lambda: self.beat() or self.counted("worker").get("attempt_lost"), "the end of the lease")
        self.tried(worker, FINAL, {**attempt, 5: True, 6: 0.5}, "STALE")
        worker.hello(WORKER, f9=1, f12=[{**attempt, 4: 3}])
        self.assertEqual(self.counted("worker"), {"silent": 1, "attempt_lost": 1, "attempt_adopted": 1})

    def beat(self):
        self.looker.send(BEAT, {4: 1})

    def test_requests(self):
        client = self.looker
        for _ in range(2):
            client.send(ENQUEUE, {1: b"r" * 16, 2: "nobody", 3: "{}"})
            self.assertEqual(client.expect(REPLY)[1][2], "NOT_FOUND")
        self.assertEqual(client.submit("s", SPEC)[2], "OK")
        for _ in range(2):
            client.send(ENQUEUE, {1: b"q" * 16, 2: "s", 3: '{"x":0.1}'})
            self.assertEqual(client.expect(REPLY)[1][2], "OK")
        self.assertEqual(client.ask(ENQUEUE, {2: "s", 3: "[]"})[1][2], "INVALID")
        self.assertEqual(client.ask(CANCEL, {2: "s", 3: True, 4: 99})[1][2], "NOT_FOUND")
        other = SPEC.replace(b"0.5", b"0.7")
        self.assertEqual(client.ask(80, {2: "s", 3: other.decode(), 4: digest(other), 7: digest(b"other")})[1][2], "REFUSED")
        self.assertEqual(client.ask(80, {2: "t", 3: other.decode(), 4: digest(b"another")})[1][2], "INVALID")
        for _ in range(65):
            client.send(TAIL, {1: os.urandom(16)})
        self.assertEqual(client.expect(REPLY)[1][2], "LIMIT")
        for _ in range(3):
            client.send(SQL, {1: os.urandom(16), 2: "select 1; select 2"})
            self.assertTrue(client.expect(ROWS)[1].get(5))
        with self.assertRaisesRegex(ConnectionError, "counters, peers"):
            client.inspect("everything")
        self.assert_counts("client", unknown_study=2, repeated_request=1, invalid_value=3, unknown_trial=1,
                           refused_request=1, too_much_at_once=1)

    def test_optimizers(self):
        optimizer, other = self.peer(OPTIMIZER), self.peer(CLIENT)
        spec = SPEC.replace(b',"enqueue":[{"x":0.5},{"x":0.25}]', b"")
        self.assertEqual(other.submit("s", spec)[2], "OK")
        attached = optimizer.expect(ATTACHED)[1]
        at = {1: attached[1], 2: attached[2]}
        optimizer.send(PULL, {**at, 2: at[2] + 1, 3: 100})
        self.assertEqual(optimizer.expect(DETACHED)[1][3], "stale")
        optimizer.send(PROPOSE, {**at, 3: 1, 4: [{2: "{}"}]})  # nobody asked
        optimizer.send(PRUNE, {**at, 3: 7, 4: 1})
        optimizer.send(PULL, {**at, 3: 100})
        worker = self.peer(WORKER, f9=1)
        worker.send(CREDIT, {1: 1})
        want = optimizer.expect(WANT)[1]
        self.tried(optimizer, PROPOSE, {**at, 3: want[3], 4: [{1: 5, 2: "{}"}]}, "INVALID")  # a draw out of turn
        self.assert_counts("optimizer", stale_attachment=1, unwanted_proposal=1, late_prune=1, bad_proposal=1)

    def test_what_workers_count(self):
        """Repetitions and skipped lines of a real worker come with its beats, under its name."""
        self.served.optimizer()
        self.served.worker(1, 1, "--name", "hands")
        self.served.submit(study("s", 1, [], objective={
            "command": ["sh", "-c", "echo nonsense >&$TUNEFARM_FD; echo '{{\"loss\": 1}}' >&$TUNEFARM_FD"]}))
        self.served.wait_ended("s")

        def told():
            self.looker.send(BEAT, {4: 1})
            rows = self.looker.inspect("counters")
            return [r for r in rows if r["name"] == "hands" and r["counter"] == "skipped_line"]
        self.served.wait(told, "a beat with counters")
        self.assertIn("skipped_line", self.served.tunefarm("workers", "--stats").stdout)
        self.assertIn('"skipped_line":', self.served.tunefarm("workers", "--stats", "--json").stdout)

    def test_the_feed_carries_them(self):
        sub = self.context.socket(zmq.SUB)
        sub.connect(self.served.listen + ".feed")
        sub.subscribe(b"beacon.")
        sub.rcvtimeo = 60000
        peer = self.peer(CLIENT)
        self.tried(peer, 250, {}, "UNSUPPORTED")
        counts = {}
        while not counts:
            fields = msgpack.unpackb(sub.recv_multipart()[1][40:], strict_map_key=False)
            counts = {c[1]: c[2] for c in fields.get(5, [])}
        self.assertEqual(counts.get("unknown_kind"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
