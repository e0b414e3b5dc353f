#!/bin/sh
# Stands in a tool's place, and does what the script beside it says.
. "$0.script"
