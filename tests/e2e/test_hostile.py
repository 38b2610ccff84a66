"""Peers and circumstances that mean the broker harm: it answers with a sentence, stays within its memory, and serves the others on.

Needs python3-zmq and python3-msgpack (Debian); skipped, saying so, without them."""
import os
import re
import resource
import time
import unittest

from farm import FarmTest
from peer import (ACK, ASSIGN, BLOB, CHECKPOINT, CLIENT, CREDIT, ERROR, EVENTS, FINAL, GET_BLOB, PUT_BLOB, REPLY, SQL, TAIL,
                  WORKER, Peer, digest, zmq)

SPEC = (b'{"study":"s","objective":{"command":["true"],"metric":"loss"},"space":{"x":{"float":[0,1]}},'
        b'"enqueue":[{"x":0.5}]}')
ENDLESS = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"
MEMORY_MIB = 700  # with room for a sanitizer's own


@unittest.skipUnless(zmq, "python3-zmq or python3-msgpack is not installed")
class Hostile(FarmTest):
    def setUp(self):
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy, 0)
        self.served = self.farm()
        # What a sanitizer keeps of freed memory is not the broker's.
        self.served.env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
        self.served.broker()

    def peer(self, role, **fields):
        peer = Peer(self.context, self.served.listen)
        self.addCleanup(peer.close)
        peer.hello(role, **fields)
        return peer

    def memory(self):
        with open(f"/proc/{self.served.processes['broker'].pid}/status") as f:
            return next(int(line.split()[1]) // 1024 for line in f if line.startswith("VmRSS"))

    def assert_serves(self):
        self.assertIsNone(self.served.processes["broker"].poll(), self.served.log("broker"))
        self.assertEqual(self.peer(CLIENT).sql("select 1"), (["[1]"], ""))

    def test_a_worker_that_tells_too_much(self):
        with self.assertRaisesRegex(ConnectionError, "HELLO.labels"):
            self.peer(WORKER, f9=1, f11=["l" * 3000] * 64)
        most = self.peer(WORKER, f9=1, f6="\x01" * 255, f8="\x01" * 1024, f11=["\x01" * 128] * 64, f13="\x01" * 128)
        self.assertTrue(most.session)
        self.served.kill("broker")
        self.served.broker()  # and its record can be read again
        self.assert_serves()

    def test_questions_with_huge_values(self):
        client = self.peer(CLIENT)
        for query in ("select zeroblob(600000000)", "select zeroblob(3000000)", "select hex(zeroblob(400000000))",
                      "select printf('%.*c', 900000000, 'x')",
                      "select " + ",".join(["zeroblob(3000000)"] * 250)):
            rows, error = client.sql(query)
            self.assertTrue(rows in ([], ["[null]"]), query)
            self.assertTrue(error or rows, query)
        self.assertEqual(client.sql("select x'00ff'"), (['["00ff"]'], ""))
        self.assert_serves()

    def test_a_tail_that_ends_before_it_begins(self):
        kind, answer = self.peer(CLIENT).ask(TAIL, {3: 10, 4: 5, 5: 100}, REPLY, EVENTS, ERROR)
        self.assertEqual((kind, answer[2]), (REPLY, "INVALID"))

    def test_steps_out_of_range(self):
        self.assertEqual(self.peer(CLIENT).submit("s", SPEC)[2], "OK")
        worker = self.peer(WORKER, f9=1)
        worker.send(CREDIT, {1: 2**64 - 1})
        assign = worker.expect(ASSIGN)[1]
        attempt = {1: assign[1], 3: assign[3]}  # trial 0
        for step in (-1, 2**53, 2**63 - 1, -2**63):
            worker.send(CHECKPOINT, {**attempt, 4: step, 5: "u"})
            self.assertEqual(worker.expect(ACK, ERROR)[1].get(2), "INVALID")
            worker.send(FINAL, {**attempt, 5: True, 6: 0.5, 8: step, 9: True})
            self.assertEqual(worker.expect(ACK, ERROR)[1].get(2), "INVALID")
        worker.send(FINAL, {**attempt, 5: True, 6: 0.5, 8: 2**53 - 1, 9: True})
        self.assertEqual(worker.expect(ACK, ERROR)[0], ACK)

    def test_a_flood_of_questions_while_the_journal_is_busy(self):
        """Answers of 128 KiB each to questions of 60 bytes: what was not read yet waits outside the broker."""
        client = self.peer(CLIENT)
        piece = os.urandom(131072)
        self.assertEqual(client.ask(PUT_BLOB, {2: digest(piece), 4: len(piece), 5: piece})[1][2], "OK")
        self.peer(CLIENT).send(SQL, {1: os.urandom(16), 2: ENDLESS})
        time.sleep(0.3)
        question = client.frame(GET_BLOB, {1: digest(piece)})
        for _ in range(12000):
            client.socket.send(question)
        most = 0
        for _ in range(40):
            time.sleep(0.25)
            most = max(most, self.memory())
        self.assertLess(most, MEMORY_MIB)
        self.assertEqual(client.expect(BLOB)[1][4], piece)
        self.assert_serves()

    def test_the_database_removed_while_in_use(self):
        client = self.peer(CLIENT)
        self.assertEqual(client.submit("s", SPEC)[2], "OK")
        os.unlink(self.served.db)
        self.assertEqual(client.submit("t", SPEC)[2], "OK")  # acknowledged, so not to be lost
        broker = self.served.processes.pop("broker")
        self.assertNotEqual(broker.wait(60), 0)
        self.assertIn(".rescued", self.served.log("broker"))
        os.rename(self.served.db + ".rescued", self.served.db)
        os.unlink(self.served.db + "-wal")
        self.served.broker()
        self.assertEqual(self.peer(CLIENT).sql("select name from study")[0], ['["s"]', '["t"]'])

    def test_more_connections_than_the_soft_limit(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 1024:
            self.skipTest("the hard limit of open files is too low")
        self.served.kill("broker")
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        try:
            self.served.broker()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        peers = [self.peer(WORKER, f9=1) for _ in range(400)]
        self.assertEqual(len({p.session for p in peers}), 400)
        self.assert_serves()

    def test_the_key_of_another_farm(self):
        one, other = (self.farm(listen="tcp://127.0.0.1:0") for _ in range(2))
        for farm in (one, other):
            farm.broker()
            farm.listen = farm.wait(lambda: re.findall(r"listen=(tcp://[0-9.:]+)", farm.log("broker")), "an address")[0]
        one.env["XDG_CONFIG_HOME"] = other.env["XDG_CONFIG_HOME"]
        refused = one.tunefarm("ls", check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("key", refused.stderr)
        one.worker(1, 1)
        one.wait(lambda: "HANDSHAKE-REFUSED" in one.log("worker1"), "a word about the key")
        self.assertEqual(other.tunefarm("ls").returncode, 0)


if __name__ == "__main__":
    unittest.main()
