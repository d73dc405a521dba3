"""What runs a network; each runtime keeps the promise of `contract.Runtime` and is named in `table.RUNTIMES`."""
