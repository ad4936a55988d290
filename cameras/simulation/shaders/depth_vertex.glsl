#version 330
in vec3 in_position;
in float in_cut;

uniform mat4 world_to_clip;

out float cut;

void main() {
    cut = in_cut;
    gl_Position = world_to_clip * vec4(in_position, 1.0);
}
