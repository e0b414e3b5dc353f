#!/bin/sh
# In place of the program in packages.
echo "stand-in $*"
