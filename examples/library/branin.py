"""tunefarm's library from Python with nothing but ctypes: finds a minimum of Branin's function.

usage: branin.py [LIBTUNEFARM.so [TRIALS]]
"""
import ctypes
import json
import math
import sys

lib = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else "libtunefarm.so.0")
handle, i64, f64, text = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double, ctypes.c_char_p
for name, result, arguments in (
    ("new", handle, []),
    ("free", None, [handle]),
    ("error", text, [handle]),
    ("define", ctypes.c_int32, [handle, text]),
    ("ask", ctypes.c_int32, [handle, ctypes.POINTER(i64)]),
    ("tell", ctypes.c_int32, [handle, i64, f64]),
    ("params", ctypes.c_int32, [handle, i64, ctypes.POINTER(text)]),
    ("best", ctypes.c_int32, [handle, ctypes.POINTER(i64), ctypes.POINTER(f64)]),
):
    function = getattr(lib, "tunefarm_study_" + name)
    function.restype, function.argtypes = result, arguments
OK, END = 0, 3


class Study:
    def __init__(self, definition):
        self.s = lib.tunefarm_study_new()
        self.check(lib.tunefarm_study_define(self.s, definition.encode()))

    def __del__(self):
        lib.tunefarm_study_free(self.s)

    def check(self, status):
        if status < 0:
            raise RuntimeError(lib.tunefarm_study_error(self.s).decode())
        return status

    def params(self, trial):
        out = text()
        self.check(lib.tunefarm_study_params(self.s, trial, ctypes.byref(out)))
        return json.loads(out.value)

    def minimize(self, function):
        trial, loss = i64(), f64()
        while self.check(lib.tunefarm_study_ask(self.s, ctypes.byref(trial))) == OK:
            value = function(**self.params(trial))
            self.check(lib.tunefarm_study_tell(self.s, trial, value))
        self.check(lib.tunefarm_study_best(self.s, ctypes.byref(trial), ctypes.byref(loss)))
        return loss.value, self.params(trial)


def branin(x, y):
    a = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return a * a + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


study = Study(
    json.dumps(
        {
            "space": {"x": {"float": [-5, 10]}, "y": {"float": [0, 15]}},
            "sampler": {"seed": 1},
            "stop": {"trials": int(sys.argv[2]) if len(sys.argv) > 2 else 100},
        }
    )
)
print(json.dumps(study.minimize(branin)))
