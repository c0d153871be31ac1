"""What a build costs beside making it by hand, and the library beside other allocators."""
