"""Every instant at which the process can die, one after another."""
