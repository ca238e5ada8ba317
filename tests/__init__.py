"""All tests. A package, so that `python -m tests.net` and the tests name the emulator alike."""
