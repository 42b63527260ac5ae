"""The shells: colourless jobs, and the two drivers that carry them out, blocking (`sync`) and async (`aio`)."""
