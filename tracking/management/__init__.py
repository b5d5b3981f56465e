"""Django looks for the project's commands below this package."""
