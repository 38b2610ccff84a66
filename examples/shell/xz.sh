#!/bin/sh
# One trial: how small does xz make the file with these settings? Each parameter is an environment variable.
set -eu
settings="dict=1MiB,lc=$TUNEFARM_P_LC,pb=$TUNEFARM_P_PB,mf=$TUNEFARM_P_MF,nice=$TUNEFARM_P_NICE"
size=$(xz --stdout --format=raw --lzma2="$settings" digits.csv | wc -c)
tunefarm report --loss "$size"
