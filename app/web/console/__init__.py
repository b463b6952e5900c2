"""The console: one module for each thing that people do there."""
