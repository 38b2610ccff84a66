# Sourced by bench/run-*: the build that is measured, one thread a process, runs shared out among processes by seed.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${BUILD:-$here/../build/release}
python=${PYTHON:-/usr/bin/python3}
jobs=${JOBS:-2}
export TUNEFARM=${TUNEFARM:-$build/bin/tunefarm}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 PYTHONWARNINGS=ignore PYTHONDONTWRITEBYTECODE=1

need() { # PYTHON-MODULE PACKAGE
    "$python" -c "import $1" 2>/dev/null || { echo "${0##*/}: $python lacks $1; install $2" >&2; exit 1; }
}
[[ -x $TUNEFARM ]] || {
    echo "${0##*/}: there is no $TUNEFARM; run: cmake --preset release && cmake --build --preset release" >&2
    exit 1
}

# new_folder NAME: an empty folder for runs under the build; --continue keeps what is there.
new_folder() {
    runs=$build/bench/$1
    [[ -n ${continue-} ]] || rm -rf "$runs"
    mkdir -p "$runs"
}

# by_seed FROM TO COMMAND ...: COMMAND once a job, with its own seeds for {seeds} and job number for {job}.
by_seed() {
    local from=$1 to=$2 job begin end status=0 pids=()
    shift 2
    for ((job = 0; job < jobs; job++)); do
        begin=$((from + (to - from) * job / jobs))
        end=$((from + (to - from) * (job + 1) / jobs))
        ((end > begin)) || continue
        "${@//\{seeds\}/$begin:$end}" &
        pids+=($!)
    done
    for job in "${pids[@]}"; do wait "$job" || status=1; done
    return "$status"
}
