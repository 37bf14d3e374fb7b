"""From a sweep file to jobs: models identified, images and label maps hashed, nothing loaded."""
