"""What stock git and git-lfs ask of a model: refs, objects to fetch, commits to take, large files.

Nothing here knows of HTTP; `server.git` does.
"""
