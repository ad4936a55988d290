// What all pixels of one picture share; filled by renderer.py, rows in this order.
layout(std140, row_major) uniform Shot {
    mat4 picture_to_world;
    mat4 world_to_sun;    // to the shadow map, each coordinate from 0 to 1
    mat4 world_to_floor;  // to the map of what stands on the floor
    vec4 eye;
    vec4 axis;            // where the camera looks
    vec4 gain;
    vec4 to_sun;          // w: metres that a pixel of the shadow map covers
    vec4 sun;             // w of this and the next: used part of the shadow map's width, height
    vec4 sky;
    vec4 ground;          // w of this and the next: used part of the floor map's width, height
    vec4 lamp;
    vec4 lamps[8];
};
