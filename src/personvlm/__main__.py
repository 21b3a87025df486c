"""``python -m personvlm``: the same as ``personvlm``."""

from personvlm.cli import main

if __name__ == "__main__":
    main()
