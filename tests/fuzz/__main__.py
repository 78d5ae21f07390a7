"""`python -m tests.fuzz`: see `tests.fuzz.series`, which processes of its own can import."""

from tests.fuzz.series import main

if __name__ == "__main__":
    main()
