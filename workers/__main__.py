"""``python -m workers`` is the command ``emocare``."""

from workers.cli import main

main()
