#version 330
in vec3 in_position;
in vec3 in_normal;
in vec3 in_texture;
in float in_cut;
in float in_material;

uniform mat4 world_to_clip;
uniform int first_material;  // row of the model's first one in the table of the moment

out vec4 texture_cut;
out vec3 normal;
flat out float material;

void main() {
    texture_cut = vec4(in_texture, in_cut);
    normal = in_normal;
    material = float(first_material) + in_material;
    gl_Position = world_to_clip * vec4(in_position, 1.0);
}
