"""The report helpers for C and Python from the worker's side of the channel: what they send, and how they take stops, exits
and a worker that is gone. Arguments: the C test evaluator and the folder of tunefarm_report.py."""
import json
import os
import socket
import subprocess
import sys
import unittest

SERVED_CHILD, REPORT_DIR = sys.argv[1:3]
PATIENCE = 120


class Evaluator:
    """A program with our end of its channel."""

    def __init__(self, argv, served, metric="loss"):
        ours, theirs = socket.socketpair()
        env = dict(os.environ, TUNEFARM_FD=str(theirs.fileno()), TUNEFARM_METRIC=metric, PYTHONPATH=REPORT_DIR,
                   PYTHONDONTWRITEBYTECODE="1")
        if served:
            env["TUNEFARM_SERVE"] = "1"
        self.process = subprocess.Popen(argv, pass_fds=[theirs.fileno()], env=env, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        theirs.close()
        ours.settimeout(PATIENCE)
        self.channel = ours
        self.lines = ours.makefile("rb")

    def send(self, **message):
        self.channel.sendall((json.dumps(message) + "\n").encode())

    def trial(self, number, **params):
        self.send(trial=number, attempt=1, seed=5, params=params, resume=None, decide=[], dir="/nowhere")

    def receive(self):
        return json.loads(self.lines.readline())

    def end(self):
        """Exit status and output."""
        output = self.process.communicate(timeout=PATIENCE)[0].decode()
        self.lines.close()
        self.channel.close()
        return self.process.returncode, output


def python(code, served=False, metric="loss"):
    return Evaluator([sys.executable, "-c", "import tunefarm_report as tf\n" + code], served, metric)


class HelperForC(unittest.TestCase):
    def test_trials_stops_and_exit(self):
        e = Evaluator([SERVED_CHILD], served=True)
        e.trial(1, x=0.5)
        first = e.receive()
        self.assertEqual((first["loss"], first["nth"]), (0.5, 1))
        e.trial(2, x=0.25)
        self.assertEqual(e.receive(), {"step": 1, "loss": 0.25})
        e.send(stop="prune", trial=1)  # of a trial that has ended
        e.send(stop="prune", trial=2)
        self.assertEqual(e.receive(), {"pruned": True})
        e.send(stop="prune", trial=2)  # crossed the answer
        e.trial(3, x=0.35)
        self.assertEqual(e.receive(), {"retry": False, "error": 'no "good"'})
        e.send(exit=True)
        self.assertEqual(e.end(), (0, "it is no good\n"))

    def test_checkpoints(self):
        e = Evaluator([SERVED_CHILD], served=True)
        for why, end in (("drain", {"pruned": True}), ("prune", {"loss": 0.42})):
            e.send(trial=1, attempt=2, seed=5, params={"x": 0.42}, resume="/old \u00e9", resume_step=7, decide=[], dir="/nowhere",
                   checkpoint_dir="/checkpoints/2")
            self.assertEqual(e.receive(), {"step": 8, "loss": 0.42})
            e.send(checkpoint={"deadline_s": 5}, trial=9)  # of another trial
            e.send(checkpoint={"deadline_s": 5}, trial=1)
            self.assertEqual(e.receive(), {"checkpoint": "/checkpoints/2", "step": 8})
            e.send(stop=why, trial=1)
            self.assertEqual(e.receive(), end)
        e.send(exit=True)
        self.assertEqual(e.end(), (0, "goes on from /old é\n" * 2))

    def test_worker_that_is_gone(self):
        e = Evaluator([SERVED_CHILD], served=True)
        e.channel.shutdown(socket.SHUT_RDWR)
        self.assertEqual(e.end()[0], 0)

    def test_outside_a_farm(self):
        done = subprocess.run([SERVED_CHILD], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stdout)["loss"], 1)


class HelperForPython(unittest.TestCase):
    def test_one_shot(self):
        e = python("t = tf.trial()\nassert t.report(1, loss=t.params['lr'], acc=1) is False\n"
                   "t.checkpoint('u', 1)\nt.finish(loss=float('nan'))")
        e.trial(4, lr=0.5)
        self.assertEqual(e.receive(), {"step": 1, "loss": 0.5, "acc": 1})
        self.assertEqual(e.receive(), {"checkpoint": "u", "step": 1})
        self.assertNotEqual(e.receive()["loss"], 0)
        self.assertEqual(e.end(), (0, ""))

    def test_metric_of_another_name(self):
        e = python("t = tf.trial()\nt.finish(0.75)", metric="accuracy")
        e.trial(1)
        self.assertEqual(e.receive(), {"accuracy": 0.75})
        e.end()

    def test_served_trials(self):
        e = python("for t in tf.trials():\n"
                   "    if t.number == 1: t.finish(loss=1)\n"
                   "    if t.number == 2: t.report(1, loss=2)\n"
                   "    if t.number == 3: pass\n"
                   "    if t.number == 4:\n"
                   "        step = 1\n"
                   "        while not t.report(step, loss=4): step += 1\n", served=True)
        e.trial(1)
        self.assertEqual(e.receive(), {"loss": 1})
        e.trial(2)
        self.assertEqual(e.receive(), {"step": 1, "loss": 2})
        self.assertEqual(e.receive(), {"loss": 2})  # left open: its last report stands
        e.trial(3)
        self.assertIn("without a result", e.receive()["error"])
        e.trial(4)
        e.receive()
        e.send(stop="prune", trial=4)
        message = e.receive()
        while "step" in message:
            message = e.receive()
        self.assertEqual(message, {"pruned": True})
        e.send(exit=True)
        self.assertEqual(e.end(), (0, ""))

    def test_checkpoints(self):
        e = python("for t in tf.trials():\n"
                   "    print(t.resume, t.resume_step, t.checkpoint_wanted)\n"
                   "    step = t.resume_step or 0\n"
                   "    while not t.checkpoint_wanted: pass\n"
                   "    t.checkpoint('c', 1)\n"
                   "    while not t.stopped: pass\n"
                   "    assert not t.checkpoint_wanted\n"
                   "    t.finish(loss=3)\n", served=True)
        for why, end in (("pause", {"pruned": True}), ("cancel", {"loss": 3})):
            e.send(trial=1, attempt=2, seed=5, params={}, resume="/old", resume_step=7, decide=[], dir="/nowhere")
            e.send(checkpoint={"deadline_s": 5}, trial=1)
            self.assertEqual(e.receive(), {"checkpoint": "c", "step": 1})
            e.send(stop=why, trial=1)
            self.assertEqual(e.receive(), end)
        e.send(exit=True)
        status, output = e.end()
        self.assertEqual(status, 0, output)
        self.assertIn("/old 7", output)

    def test_serve_reports_exceptions(self):
        e = python("tf.serve(lambda t: 1 / t.params['x'])", served=True)
        e.trial(1, x=0)
        self.assertIn("ZeroDivisionError", e.receive()["error"])
        e.trial(2, x=2)
        self.assertEqual(e.receive(), {"loss": 0.5})
        e.channel.shutdown(socket.SHUT_WR)  # the worker is gone
        self.assertEqual(e.end(), (0, ""))

    def test_misuse(self):
        e = python("t = tf.trial()\nt.finish(loss=1)\nt.finish(loss=2)")
        e.trial(1)
        e.receive()
        status, output = e.end()
        self.assertEqual(status, 1)
        self.assertIn("the trial has ended already", output)

    def test_outside_a_farm(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("TUNEFARM_")}
        code = "import tunefarm_report as tf\nt = tf.trial()\nt.report(1, loss=2)\nfor t in tf.trials(): print('none')"
        done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, timeout=PATIENCE,
                              env=dict(env, PYTHONPATH=REPORT_DIR))
        self.assertEqual((done.stdout, done.stderr), ('{"step": 1, "loss": 2}\n', ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
