"""Programs that `cairn bench download` measures beside Cairn; each is a script that its own Python runs."""
