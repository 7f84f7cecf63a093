#!/usr/bin/env bash
# Installs the packages, builds Release and trains a classifier on Fashion-MNIST. Options are passed
# on to `gradmill train`, as in: bash tools/run.sh --epochs 1 --seed 3. Safe to repeat.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

install_packages
build release gradmill_command
say "training: build/release/tools/gradmill train --save build/fashion-mnist.safetensors $*"
cd "$root"
exec build/release/tools/gradmill train --save build/fashion-mnist.safetensors "$@"
