// What pages can do more with a script.
