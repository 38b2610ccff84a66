"""tools/check-deps finds each kind of fault in a small tree, and none in a good one."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[3] / "tools" / "check-deps"
PAGE = """# x
## Folders and what may include what

| folder | what it holds | may include |
|---|---|---|
| `base/core` | x | nothing of ours |
| `base/io` | x | base/core |
| `proto` | x | base/core |
| `broker/core` | x | proto, base/core |
| `broker/net` | x | its core, proto, base |
| `optimizer/sampler`, `optimizer/tuner` | x | proto, base/core |

## Next
"""


class CheckDeps(unittest.TestCase):
    def run_on(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {"docs/architecture.md": PAGE, **GOOD, **files}.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            done = subprocess.run(
                [sys.executable, TOOL, root], capture_output=True, text=True, check=False
            )
            return done.returncode, done.stdout

    def refused(self, files, words):
        code, out = self.run_on(files)
        self.assertEqual(code, 1, out)
        self.assertIn(words, out)

    def test_good_tree(self):
        code, out = self.run_on({})
        self.assertEqual(code, 0, out)

    def test_against_the_table(self):
        wrong = {"base/core/a.c": '#include "wire.h"\n'}
        self.refused(wrong, 'a.c:1: base/core must not include "wire.h" of proto')
        wrong = {"broker/core/c.c": '\n#include "loop.h"\n'}
        self.refused(wrong, "c.c:2: broker/core must not include")

    def test_layers_within_one_row(self):
        wrong = {"optimizer/sampler/s.c": '#include "tuner.h"\n'}
        self.refused(wrong, "optimizer/sampler must not include")

    def test_libraries(self):
        self.refused({"broker/core/c.c": "#include <zmq.h>\n"}, "must not include <zmq.h>")

    def test_clock(self):
        wrong = {"broker/core/c.c": "int f(void)\n{\n    return clock_now();\n}\n"}
        self.refused(wrong, "c.c:3: broker/core must not read")
        code, out = self.run_on({"broker/core/c.c": "/* clock_now() is not for us */\n"})
        self.assertEqual(code, 0, out)

    def test_inputs_past_the_recording(self):
        call = "void f(void)\n{\n    farm_tick(f, 1, fx);\n}\n"
        self.refused({"broker/owner.c": call}, "owner.c:3: farm_tick() would not be recorded")
        code, out = self.run_on({"broker/core/c.c": call, "broker/rerun.c": call})
        self.assertEqual(code, 0, out)

    def test_names(self):
        self.refused({"tests/x/wire.h": ""}, "the name is taken")
        self.refused({"proto/p.c": '#include "none.h"\n'}, "no file of the product")


GOOD = {
    "base/core/str.h": "",
    "base/io/loop.h": '#include <uv.h>\n#include "str.h"\n',
    "proto/wire.h": '#include "str.h"\n',
    "broker/core/trial.h": '#include "wire.h"\n',
    "broker/net/session.h": '#include "loop.h"\n#include "trial.h"\n',
    "broker/owner.c": '#include "session.h"\n#include "trial.h"\n',
    "optimizer/sampler/sampler.h": "",
    "optimizer/tuner/tuner.h": '#include "sampler.h"\n',
}

if __name__ == "__main__":
    unittest.main()
