"""Reports results to tunefarm from Python programs. One file, standard library only: put it among objective.files.

A program that runs once for each trial:

    import tunefarm_report
    trial = tunefarm_report.trial()
    for step in range(10):
        if trial.report(step, loss=train(trial.params)):
            break                                    # tunefarm asks it to stop
    trial.finish(loss=evaluate())

A served one (objective.serve: true), which stays alive from trial to trial:

    for trial in tunefarm_report.trials():
        trial.finish(loss=train(trial.params))

or, with exceptions reported as errors of their trial:

    tunefarm_report.serve(lambda trial: train(trial.params))

A trial that can be interrupted (objective.checkpoint says how it is asked):

    model, step = load(trial.resume) if trial.resume else (Model(), 0)
    while step < 100:
        step += 1
        trial.report(step, loss=model.train())
        if trial.checkpoint_wanted:
            model.save(trial.checkpoint_dir)
            trial.checkpoint(trial.checkpoint_dir, step)
        if trial.stopped:
            break

Outside a farm, trial() gives a Trial without parameters that prints what it would report. What goes over the channel is
described in docs/evaluator.md.
"""
import json
import os
import select
import sys
import traceback

__all__ = ["Trial", "trial", "trials", "serve", "under_tunefarm"]

_LINE_LIMIT = 65536  # bytes of a line; the worker skips longer ones
_READ_LIMIT = 1 << 20


def under_tunefarm():
    """Whether a worker has started this program."""
    return "TUNEFARM_FD" in os.environ


class _Channel:
    """JSON lines on the inherited socket; to standard output when there is none."""

    def __init__(self):
        self.fd = int(os.environ["TUNEFARM_FD"]) if under_tunefarm() else None
        self.metric = os.environ.get("TUNEFARM_METRIC", "loss")
        self.served = os.environ.get("TUNEFARM_SERVE") == "1"
        self.pending = b""
        self.closed = self.fd is None
        if self.fd is not None:
            os.set_inheritable(self.fd, False)  # programs that this one starts have no business with it

    def send(self, message):
        line = (json.dumps(message, default=float) + "\n").encode()
        if len(line) > _LINE_LIMIT:
            raise ValueError(f"a report has {len(line)} bytes, at most {_LINE_LIMIT} are read")
        if self.fd is None:
            sys.stdout.write(line.decode())
            return
        while line:
            line = line[os.write(self.fd, line):]

    def _take(self):
        head, newline, rest = self.pending.partition(b"\n")
        if not newline:
            return None
        self.pending = rest
        try:
            message = json.loads(head)
        except ValueError:
            return {}
        return message if isinstance(message, dict) else {}

    def receive(self, wait):
        """The next message, or None: there is none yet (wait false), or the worker is gone."""
        while True:
            message = self._take()
            if message is not None:
                return message
            if self.closed or not (wait or select.select([self.fd], [], [], 0)[0]):
                return None
            try:
                piece = os.read(self.fd, 65536)
            except ConnectionResetError:
                piece = b""
            self.closed = not piece or len(self.pending) > _READ_LIMIT
            self.pending += piece


_channel = None


def _open():
    global _channel
    if _channel is None:
        _channel = _Channel()
    return _channel


class Trial:
    """One trial: number, attempt, seed, params (a dict), resume (where a checkpoint stands, or None) and resume_step, decide
    (steps), dir, checkpoint_dir."""

    def __init__(self, channel, message):
        self._channel = channel
        self._dir = message.get("dir") or os.getcwd()
        self._last = None
        self.number = message.get("trial", 0)
        self.attempt = message.get("attempt", 0)
        self.seed = message.get("seed", 0)
        self.params = message.get("params", {})
        self.resume = message.get("resume")
        self.resume_step = message.get("resume_step")
        self._checkpoint_dir = message.get("checkpoint_dir") or self._dir
        self.decide = message.get("decide", [])
        self.finished = False
        self.stop = None  # why tunefarm wants it to stop: "prune", "cancel", "pause", "timeout", "drain"
        self._wanted = False

    @property
    def dir(self):
        """The attempt's own directory, made when it is asked for."""
        os.makedirs(self._dir, mode=0o700, exist_ok=True)
        return self._dir

    @property
    def checkpoint_dir(self):
        """The attempt's directory for checkpoints, made when it is asked for: kept until the trial is over."""
        os.makedirs(self._checkpoint_dir, mode=0o700, exist_ok=True)
        return self._checkpoint_dir

    def _listen(self):
        while self.stop is None:
            message = self._channel.receive(wait=False)
            if message is None:
                break
            if message.get("trial", self.number) == self.number:
                self.stop = message.get("stop")
                self._wanted = self._wanted or "checkpoint" in message

    @property
    def stopped(self):
        """Whether tunefarm has asked this trial to stop."""
        self._listen()
        return self.stop is not None

    @property
    def checkpoint_wanted(self):
        """Whether tunefarm has asked for a checkpoint that has not been named yet."""
        self._listen()
        return self._wanted

    def report(self, step, loss=None, **metrics):
        """Reports an intermediate result. True if tunefarm asks the trial to stop."""
        message = {"step": step, **self._metrics(loss, metrics)}
        self._last = message.get(self._channel.metric, self._last)
        self._channel.send(message)
        return self.stopped

    def checkpoint(self, uri, step):
        """Says that a checkpoint of this step stands at uri, whole: a path (below checkpoint_dir, if it is relative), or a
        place that only this program knows."""
        self._wanted = False
        self._channel.send({"checkpoint": uri, "step": step})

    def finish(self, loss=None, **metrics):
        """Reports the result. Nothing can be reported after it. A trial that was asked to stop because its worker leaves or
        because it is paused has none: it goes on later."""
        if self.stop in ("drain", "pause"):
            self.prune()
        else:
            self._end(self._metrics(loss, metrics))

    def prune(self):
        """Gives up on this point of the space; its last report stands."""
        self._end({"pruned": True})

    def fail(self, text, retry=True):
        """Reports an error. retry False: another attempt would fail in the same way."""
        self._end({"error": str(text)[:4000], "retry": bool(retry)})

    def _metrics(self, loss, metrics):
        if loss is not None:
            metrics = {self._channel.metric: loss, **metrics}
        return {name: value for name, value in metrics.items() if value is not None}

    def _end(self, message):
        if self.finished:
            raise RuntimeError("the trial has ended already")
        self._channel.send(message)
        self.finished = True

    def _close(self):
        """Ends a trial that the program left open."""
        if self.finished:
            return
        if self.stop is not None:
            self.prune()
        elif self._last is not None:
            self.finish(**{self._channel.metric: self._last})
        else:
            self.fail("the program went on to the next trial without a result", retry=False)


def _next(channel):
    while True:
        message = channel.receive(wait=True)
        if message is None or message.get("exit"):
            return None
        if "params" in message:  # what is left is a stop of a trial that has ended
            return Trial(channel, message)


def trial():
    """The trial of a program that runs once for each."""
    channel = _open()
    return (_next(channel) if not channel.closed else None) or Trial(channel, {})


def trials():
    """The trials of a served program, one after another, until the worker has no more. A program that is not served gets
    its one trial."""
    channel = _open()
    while not channel.closed:
        current = _next(channel)
        if current is None:
            return
        yield current
        if not channel.served:
            return
        current._close()


def serve(function):
    """Calls function(trial) for each trial. It returns the loss or a dict of metrics, or has called finish() itself; what
    it raises is reported as the trial's error, and the next trial follows."""
    for current in trials():
        try:
            result = function(current)
            if isinstance(result, dict):
                current.finish(**result)
            elif result is not None:
                current.finish(loss=result)
        except Exception:  # the process goes on: the error belongs to this trial
            if current.finished:
                raise
            current.fail(traceback.format_exc())
