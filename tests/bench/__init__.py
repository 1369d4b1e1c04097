"""This bot, the usual stack and the floor under both, measured side by side: `./run_local.sh bench`."""
