"""`python -m vecrecall`: the command line, where its script is not on the path."""

from vecrecall.cli.main import main

if __name__ == "__main__":
    main()
