"""What a build costs compared with a plain script, and the library with other allocators."""
