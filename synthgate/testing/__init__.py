"""The pytest plugin: gate files as tests, a fixture, and assertions that explain themselves."""
