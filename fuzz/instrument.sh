#!/bin/sh
# RUSTC_WORKSPACE_WRAPPER of the fuzzing build: coverage counters for the crates of this workspace.
# Others' crates stay as they are, so they need not be compiled a second time.
case " $* " in
*" build_script_build "*) exec "$@" ;;
esac
exec "$@" -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
