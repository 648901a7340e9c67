"""The WSGI entry point and the application that ``flask --app wsgi`` finds."""

import sys

from app import create_app
from config import SettingsError

try:
    app = create_app()
except SettingsError as error:
    # one clear line a mistake, and no traceback: what is wrong stands in the environment, not in the code
    sys.exit("\n".join(f"settings: {line}" for line in error.lines))
