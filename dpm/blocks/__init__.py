"""What 2015 took from Theano and Blocks: bricks, the main loop, step rules, files."""
