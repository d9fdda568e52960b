#!/usr/bin/env python
"""Django's command line. `python manage.py help` lists the commands."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import Error as DatabaseError


def main() -> None:
    """Run the command. While the database is unavailable, end with one line and status 1 instead of a traceback."""
    try:
        execute_from_command_line(sys.argv)
    except DatabaseError as error:
        from hunarmitra.database.troubles import describe, is_unavailable

        if not is_unavailable(error):
            raise
        reason = str(error).partition("\n")[0]
        sys.exit(f"error: the database is unavailable ({describe(error)}: {reason}); run the command again.")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
    main()
