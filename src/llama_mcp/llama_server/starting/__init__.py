"""From "please" to "ready".

What was asked comes in; a ready run or an error with its cause goes out. In between it is checked,
launched and waited for, and launched again after a crash.
"""
