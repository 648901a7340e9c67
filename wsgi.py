"""The WSGI entry point and the application that ``flask --app wsgi`` finds."""

from app import create_app

app = create_app()
